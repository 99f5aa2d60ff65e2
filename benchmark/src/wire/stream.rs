//! One bidirectional stream over one connection, with many messages in flight.

use std::{io, rc::Rc};

use testkit::http2::write_window_update;

use crate::{load::Meter, requests::Requests};

use super::{
    Connection, Shape,
    answer::{Messages, tally},
    connection::{Event, WINDOW},
};

#[derive(Debug)]
pub(crate) struct Flow {
    connection: Connection,
    requests: Requests,
    messages: Messages,
    stream: u32,
    window: i64,
    /// Bytes received on the stream since the last window update.
    unacknowledged: u32,
    batch: Vec<u8>,
}

impl Flow {
    pub(crate) fn new(mut connection: Connection, requests: Requests) -> Self {
        Self {
            stream: connection.begin(),
            window: connection.stream_window,
            connection,
            requests,
            messages: Messages::default(),
            unacknowledged: 0,
            batch: Vec::new(),
        }
    }

    /// Keeps `in_flight` messages in flight until it is stopped.
    pub(crate) async fn keep(mut self, in_flight: usize, meter: Rc<Meter>) -> io::Result<Self> {
        let mut open = 0;
        loop {
            if !meter.is_over() {
                open += self.send(in_flight - open);
            }
            if open == 0 && meter.is_over() {
                return Ok(self);
            }
            self.connection.flush().await?;
            self.connection.receive().await?;
            open -= self.take(&meter)?;
        }
    }

    /// Queues at most `most` messages to be sent; returns how many.
    fn send(&mut self, most: usize) -> usize {
        self.batch.clear();
        let mut sent = 0;
        while sent < most {
            let taken = i64::try_from(self.batch.len()).expect("the number fits");
            let room = self.window.min(self.connection.send_window) - taken;
            let Some(body) = self.requests.next_within(room) else {
                break;
            };
            self.batch.extend_from_slice(body);
            sent += 1;
        }
        self.window -= i64::try_from(self.batch.len()).expect("the number fits");
        self.connection.send(&self.batch, self.stream, false);
        sent
    }

    /// Takes what was received; returns how many messages that was.
    fn take(&mut self, meter: &Meter) -> io::Result<usize> {
        let expected = self.requests.expected();
        let (messages, window) = (&mut self.messages, &mut self.window);
        let unacknowledged = &mut self.unacknowledged;
        let (mut taken, mut ended) = (0, false);
        self.connection.events(|_, event| match event {
            Event::Data(bytes) => {
                *unacknowledged += u32::try_from(bytes.len()).expect("a frame is small");
                messages.take(bytes, |message| {
                    meter.count(tally(message, Shape::Wrapped, expected));
                    taken += 1;
                });
            }
            Event::Room(more) => *window += more,
            Event::End => ended = true,
        })?;
        if ended {
            return Err(io::Error::other("the server ended the stream"));
        }
        if *unacknowledged > WINDOW / 4 {
            write_window_update(&mut self.connection.out, self.stream, *unacknowledged);
            *unacknowledged = 0;
        }
        Ok(taken)
    }
}
