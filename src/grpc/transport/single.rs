//! The answer of a call that is no stream, counted as unread until the socket takes it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    activity::{Activity, MOST_UNREAD, UnreadBytes, UnreadLimit},
    body::NextFrame,
};
use crate::grpc::wire::transport_status::{LARGEST_MESSAGE, overloaded, too_large};

/// The size of the pieces in which answers are counted and passed on.
pub(super) const PIECE: usize = 16 * 1024;
/// Precedes each message: a flag for compression, and the length.
const PREFIX: usize = 5;

/// Refuses an answer that is too large for its client. An answer that can be asked for again (`may_repeat`) is also refused when too
/// much is unread already. The answer to a change is always sent: a new API key is in no other place.
pub(in crate::grpc) fn single(
    response: Response<Body>,
    activity: &Arc<Activity>,
    may_repeat: bool,
    context: &mut Context<'_>,
) -> Response<Body> {
    let (parts, mut body) = response.into_parts();
    // The message is ready, and this encodes it, so that its length is known.
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(context) else {
        return Response::from_parts(parts, body);
    };
    let message = match frame.into_data() {
        Ok(message) => message,
        Err(trailers) => {
            return Response::from_parts(parts, Body::new(Single::trailers_only(trailers, body)));
        }
    };
    if message.len() > LARGEST_MESSAGE + PREFIX {
        let size = message.len() - PREFIX;
        let message = format!("the answer would have {size} bytes; request fewer entries in one call");
        return too_large(message, LARGEST_MESSAGE).into_http();
    }
    let counts = message.len() >= PIECE;
    if counts
        && may_repeat
        && let Err(limit) = activity.room_for(message.len())
    {
        return no_room(limit).into_http();
    }
    let unread = counts.then(|| UnreadBytes::new(activity, message.len()));
    let body = Single { message, unread, trailers: None, rest: body };
    Response::from_parts(parts, Body::new(body))
}

fn no_room(limit: UnreadLimit) -> Status {
    match limit {
        UnreadLimit::OfConnection => too_large(
            "too many answers on this connection are unread by the client; read them first",
            MOST_UNREAD,
        ),
        UnreadLimit::OfNode => {
            overloaded("the clients of this node leave too many answers unread; try again")
        }
    }
}

/// One message, passed on in pieces, and what follows it.
struct Single {
    message: Bytes,
    unread: Option<UnreadBytes>,
    trailers: Option<Frame<Bytes>>,
    rest: Body,
}

impl Single {
    fn trailers_only(trailers: Frame<Bytes>, rest: Body) -> Self {
        Self { message: Bytes::new(), unread: None, trailers: Some(trailers), rest }
    }
}

impl http_body::Body for Single {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<NextFrame> {
        let this = &mut *self;
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(trailers)));
        }
        if this.message.is_empty() {
            return Pin::new(&mut this.rest).poll_frame(context);
        }
        let piece = this.message.split_to(this.message.len().min(PIECE));
        let piece = match &mut this.unread {
            Some(unread) => unread.split(piece.len()).attach_to(piece),
            None => piece,
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_empty() && self.trailers.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.message.is_empty() { self.rest.size_hint() } else { SizeHint::default() }
    }
}
