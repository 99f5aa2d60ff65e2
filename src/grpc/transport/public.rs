//! The answers of health and reflection: their errors get details, and they end when the listener stops.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use crate::grpc::wire::{
    status,
    transport_status::{LARGEST_PUBLIC, explained},
};

use super::{
    activity::OpenPublicCall,
    body::{NextFrame, Watched, Watcher},
};

pub(super) fn public(body: Body, open: OpenPublicCall, stop: CancellationToken) -> Body {
    Body::new(Watched::new(body, Public { stopped: Box::pin(stop.cancelled_owned()), _open: open }))
}

struct Public {
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Counts as open until the answers are dropped.
    _open: OpenPublicCall,
}

impl Watcher for Public {
    fn frame(&mut self, frame: NextFrame) -> NextFrame {
        frame.map(|frame| frame.map(explained_trailers))
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Frame<Bytes>> {
        self.stopped.as_mut().poll(context).map(|()| trailers(status::closing()))
    }
}

fn explained_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.trailers_ref().and_then(Status::from_header_map) {
        Some(status) if status.code() != Code::Ok => trailers(explained(status, LARGEST_PUBLIC)),
        _ => frame,
    }
}

fn trailers(status: Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    // Fails only for texts that cannot be in a header, which our statuses do not have.
    let _ = status.add_header(&mut trailers);
    Frame::trailers(trailers)
}
