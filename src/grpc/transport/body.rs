//! A response body whose frames are watched on their way to the connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

/// The next frame of a body; `None` at its end.
pub(super) type NextFrame = Option<Result<Frame<Bytes>, Status>>;

/// What is done with the frames of a body.
pub(super) trait Watcher: Send + Unpin + 'static {
    /// Pending to hold the body back; then it wakes the task itself.
    fn poll_room(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Passes on a frame, the same or another.
    fn frame(&mut self, frame: NextFrame) -> NextFrame;

    /// Asked while the body has no frame ready: the trailers that end it before its own end.
    fn poll_end(&mut self, _context: &mut Context<'_>) -> Poll<Frame<Bytes>> {
        Poll::Pending
    }
}

/// `body`, watched.
pub(super) struct Watched<W> {
    body: Body,
    watcher: W,
    /// The watcher ended it.
    ended: bool,
}

impl<W: Watcher> Watched<W> {
    pub(super) fn new(body: Body, watcher: W) -> Self {
        Self { body, watcher, ended: false }
    }
}

impl<W: Watcher> http_body::Body for Watched<W> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<NextFrame> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        ready!(this.watcher.poll_room(context));
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(this.watcher.frame(frame)),
            Poll::Pending => {
                let trailers = ready!(this.watcher.poll_end(context));
                this.ended = true;
                Poll::Ready(Some(Ok(trailers)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
