//! Many concurrent unary calls over one connection.

use std::{io, rc::Rc, time::Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::{clock, load::Meter, requests::Requests};

use super::{
    Connection, Shape,
    answer::{Messages, tally},
    connection::Event,
};

/// This many calls, due since that instant.
pub(crate) type Tick = (Instant, u32);

#[derive(Debug)]
pub(crate) struct Calls {
    connection: Connection,
    requests: Requests,
    shape: Shape,
    /// By stream id, modulo their number.
    places: Vec<Place>,
}

#[derive(Debug, Default)]
struct Place {
    messages: Messages,
    answered: bool,
    due: Option<Instant>,
}

/// How many calls may be in flight on one connection; the servers here accept as many.
const MOST_OPEN: usize = 512;
/// Two streams that are open at a time never share a place.
const PLACES: usize = 4096;

impl Calls {
    pub(crate) fn new(connection: Connection, requests: Requests, shape: Shape) -> Self {
        Self {
            connection,
            requests,
            shape,
            places: std::iter::repeat_with(Place::default).take(PLACES).collect(),
        }
    }

    /// Keeps `in_flight` calls in flight until it is stopped, or there are no more requests.
    pub(crate) async fn keep(mut self, in_flight: usize, meter: Rc<Meter>) -> io::Result<Self> {
        let mut open = 0;
        loop {
            while open < in_flight && !meter.is_over() && self.begin(None) {
                open += 1;
            }
            if open == 0 && (meter.is_over() || self.requests.are_done()) {
                return Ok(self);
            }
            self.connection.flush().await?;
            self.connection.receive().await?;
            open -= self.take(&meter)?;
        }
    }

    /// Starts calls when they are due, whether or not earlier ones are answered, until there are no more ticks.
    pub(crate) async fn pace(
        mut self,
        mut ticks: UnboundedReceiver<Tick>,
        meter: Rc<Meter>,
    ) -> io::Result<Self> {
        let (mut open, mut owed, mut ticking) = (0, None, true);
        loop {
            if meter.is_over() {
                // Calls that a slow server delayed beyond the end are not made.
                (ticking, owed) = (false, None);
            }
            if !ticking && open == 0 && owed.is_none() {
                return Ok(self);
            }
            tokio::select! {
                tick = ticks.recv(), if ticking && owed.is_none() => match tick {
                    Some(tick) => owed = Some(tick),
                    None => ticking = false,
                },
                received = self.connection.receive() => {
                    received?;
                    open -= self.take(&meter)?;
                }
            }
            if let Some((due, mut calls)) = owed.take() {
                while calls > 0 && open < MOST_OPEN && self.begin(Some(due)) {
                    calls -= 1;
                    open += 1;
                }
                owed = (calls > 0).then_some((due, calls));
            }
            self.connection.flush().await?;
        }
    }

    pub(crate) fn rewind(&mut self) {
        self.requests.rewind();
    }

    /// Queues one more call to be sent, if there is a request and the server's windows have room for it.
    fn begin(&mut self, due: Option<Instant>) -> bool {
        let room = self.connection.send_window;
        let Some(body) = self.requests.next_within(room) else {
            return false;
        };
        let stream = self.connection.begin();
        self.connection.send(body, stream, true);
        let place = &mut self.places[place(stream)];
        place.messages.clear();
        place.answered = false;
        place.due = due;
        true
    }

    /// Takes what was received; returns how many calls ended.
    fn take(&mut self, meter: &Meter) -> io::Result<usize> {
        let (shape, expected) = (self.shape, self.requests.expected());
        let mut now = None;
        let mut over = 0;
        let places = &mut self.places;
        self.connection.events(|stream, event| {
            let place = &mut places[place(stream)];
            match event {
                Event::Data(bytes) => {
                    let answered = &mut place.answered;
                    place.messages.take(bytes, |message| {
                        meter.count(tally(message, shape, expected));
                        *answered = true;
                    });
                }
                Event::End => {
                    over += 1;
                    if !place.answered {
                        meter.failed();
                    }
                    if let Some(due) = place.due {
                        let now = *now.get_or_insert_with(clock::now);
                        meter.latency(now.saturating_duration_since(due));
                    }
                }
                Event::Room(_) => {}
            }
        })?;
        Ok(over)
    }
}

fn place(stream: u32) -> usize {
    usize::try_from(stream / 2).expect("the number fits") % PLACES
}
