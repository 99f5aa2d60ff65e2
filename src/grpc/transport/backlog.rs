//! Answers on their way to the client, counted until the socket has taken them.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{
    activity::{Activity, Full, MOST_WAITING, Open, OpenPublic, Waiting},
    closing::Closing,
};
use crate::grpc::wire::{
    status,
    transport_status::{LARGEST_MESSAGE, LARGEST_PUBLIC, explained, overloaded, too_large},
};

/// In pieces of this size answers are counted and handed on.
const PIECE: usize = 16 * 1024;
/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The answer of a call that is no stream, unless it is too large for its client. If it is one that `may_repeat`, it is
/// refused when too many wait already; of a change it is sent all the same: a new API key is nowhere else.
pub(in crate::grpc) fn whole(
    response: Response<Body>,
    activity: &Arc<Activity>,
    may_repeat: bool,
    context: &mut Context<'_>,
) -> Response<Body> {
    let (parts, mut body) = response.into_parts();
    // The message is there, and encoded by this. What cannot be sent does not wait as anything larger than that.
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(context) else {
        return Response::from_parts(parts, body);
    };
    let message = match frame.into_data() {
        Ok(message) => message,
        Err(trailers) => return Response::from_parts(parts, Body::new(Whole::of(trailers, body))),
    };
    if message.len() > LARGEST_MESSAGE + PREFIX {
        let size = message.len() - PREFIX;
        let message = format!("the answer has {size} bytes: request fewer entries in one call");
        return too_large(message, LARGEST_MESSAGE).into_http();
    }
    let counts = message.len() >= PIECE;
    if counts
        && may_repeat
        && let Err(full) = activity.room_for(message.len())
    {
        return no_room(full).into_http();
    }
    let waiting = counts.then(|| Waiting::new(activity, message.len()));
    let body = Whole { message, waiting, trailers: None, rest: body };
    Response::from_parts(parts, Body::new(body))
}

fn no_room(full: Full) -> Status {
    match full {
        Full::OfClient => too_large(
            "this client leaves too many answers unread on the connection: read them first",
            MOST_WAITING,
        ),
        Full::OfAll => overloaded("the clients of this node leave too many answers unread; try again"),
    }
}

/// One message, and what comes behind it.
struct Whole {
    message: Bytes,
    waiting: Option<Waiting>,
    trailers: Option<Frame<Bytes>>,
    rest: Body,
}

impl Whole {
    fn of(trailers: Frame<Bytes>, rest: Body) -> Self {
        Self { message: Bytes::new(), waiting: None, trailers: Some(trailers), rest }
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(trailers)));
        }
        if this.message.is_empty() {
            return Pin::new(&mut this.rest).poll_frame(context);
        }
        let piece = this.message.split_to(this.message.len().min(PIECE));
        let piece = match &mut this.waiting {
            Some(waiting) => {
                let waiting = waiting.split(piece.len());
                counted(piece, waiting)
            }
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

/// The answers of a stream. It holds back while too much waits for its client.
pub(in crate::grpc) struct Streamed {
    body: Body,
    open: Open,
    /// Bytes that were handed on and are not counted yet.
    uncounted: usize,
}

impl Streamed {
    pub(in crate::grpc) fn new(body: Body, open: Open) -> Self {
        Self { body, open, uncounted: 0 }
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        // Counted before there is more: a stream's frames leave in their order, so the next one stands for those
        // before it.
        let counts = this.uncounted >= PIECE;
        if counts && !this.open.0.has_room_or_wakes(this.uncounted, context) {
            return Poll::Pending;
        }
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(data) => {
                let length = data.len();
                let data = if counts {
                    counted(data, Waiting::new(&this.open.0, mem::take(&mut this.uncounted)))
                } else {
                    if this.uncounted > 0 {
                        // Another is asked for only once the client has room for it.
                        this.open.0.go_on();
                    }
                    data
                };
                this.uncounted += length;
                Frame::data(data)
            }
            Err(trailers) => trailers,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answers of health or reflection: their errors are explained, and they end when the listener closes.
pub(in crate::grpc) struct Public {
    body: Body,
    end: Pin<Box<dyn Future<Output = Status> + Send>>,
    ended: bool,
    #[expect(dead_code, reason = "it is dropped with the answers")]
    open: OpenPublic,
}

impl Public {
    pub(in crate::grpc) fn until(closing: Closing, open: OpenPublic, body: Body) -> Self {
        let end = async {
            closing.told().await;
            status::closing()
        };
        Self { body, end: Box::pin(end), ended: false, open }
    }
}

impl http_body::Body for Public {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let status = ready!(this.end.as_mut().poll(context));
                this.ended = true;
                return Poll::Ready(Some(Ok(trailers(status))));
            }
        };
        Poll::Ready(frame.map(|frame| frame.map(explained_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}

fn explained_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.trailers_ref().and_then(Status::from_header_map) {
        Some(status) if status.code() != tonic::Code::Ok => trailers(explained(status, LARGEST_PUBLIC)),
        _ => frame,
    }
}

fn trailers(status: Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    // An error means that a text is no header, which none of ours can be.
    let _ = status.add_header(&mut trailers);
    Frame::trailers(trailers)
}

/// `bytes` that count as waiting until they are dropped, which is when they were sent or given up.
fn counted(bytes: Bytes, waiting: Waiting) -> Bytes {
    struct Counted(Bytes, Waiting);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.note_taken();
        }
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Counted(bytes, waiting))
}
