//! The answers of a stream, held back while its client leaves too many unread.

use std::{
    mem,
    task::{Context, Poll},
};

use http_body::Frame;
use tonic::body::Body;

use super::{
    activity::{OpenCall, UnreadBytes},
    body::{NextFrame, Watched, Watcher},
    single::PIECE,
};

pub(in crate::grpc) type Streamed = Watched<Backpressure>;

pub(in crate::grpc) fn streamed(body: Body, open: OpenCall) -> Streamed {
    Watched::new(body, Backpressure { open, uncounted: 0 })
}

pub(in crate::grpc) struct Backpressure {
    open: OpenCall,
    /// Bytes that were passed on and are not counted as unread yet.
    uncounted: usize,
}

impl Backpressure {
    fn must_count(&self) -> bool {
        self.uncounted >= PIECE
    }
}

impl Watcher for Backpressure {
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Checked before more is asked for.
        let room = !self.must_count() || self.open.activity().has_room_or_wakes(self.uncounted, context);
        if room { Poll::Ready(()) } else { Poll::Pending }
    }

    fn frame(&mut self, frame: NextFrame) -> NextFrame {
        let frame = match frame? {
            Ok(frame) => frame,
            Err(status) => return Some(Err(status)),
        };
        Some(Ok(match frame.into_data() {
            Ok(data) => {
                let length = data.len();
                let data = if self.must_count() {
                    // Frames of a stream are sent in order, so this one covers all that were not counted.
                    UnreadBytes::new(self.open.activity(), mem::take(&mut self.uncounted)).attach_to(data)
                } else {
                    if self.uncounted > 0 {
                        // HTTP/2 asks for a frame only when the client has room for it.
                        self.open.activity().note_progress();
                    }
                    data
                };
                self.uncounted += length;
                Frame::data(data)
            }
            Err(trailers) => trailers,
        }))
    }
}
