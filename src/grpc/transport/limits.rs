//! What bounds every call, whatever it asks: time, a place on its connection, and errors that say what they mean.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tower::{Layer, Service};

use super::{
    activity::{Open, OpenPublic},
    authenticate::{Answering, OPEN},
    backlog::{Public, Streamed, whole},
    closing::Closing,
    connection::Peer,
};
use crate::grpc::wire::transport_status::{
    LARGEST_MESSAGE, LARGEST_PUBLIC, explained, overloaded, timed_out, too_many_connections,
};

/// A call that takes longer has lost its caller, or has a caller who feeds it drop by drop.
const LONGEST_CALL: Duration = Duration::from_secs(30);
/// By how much a call is ended before its own deadline: tonic ends it at that, and without a word.
const EARLIER: Duration = Duration::from_millis(3);

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Limit;

impl<S> Layer<S> for Limit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner }
    }
}

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Limited<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Limiting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Limiting {
        let kind = Kind::of(request.uri().path());
        let place = request.extensions().get::<Peer>().map(|peer| Place::on(peer, kind)).transpose();
        let patience =
            deadline(request.headers()).map_or(LONGEST_CALL, |deadline| deadline.min(LONGEST_CALL));
        let (place, answering) = match place {
            Ok(place) => (place, self.inner.call(request)),
            Err(status) => (None, Box::pin(std::future::ready(Ok(status.into_http()))) as Answering),
        };
        Limiting { answering, patience, limit: None, kind, place }
    }
}

/// What a call takes up of its connection.
enum Place {
    Call(Open),
    Public(OpenPublic, Closing),
}

impl Place {
    /// An error when there is none left.
    fn on(peer: &Peer, kind: Kind) -> Result<Self, Status> {
        let activity = &peer.activity;
        if kind == Kind::Public {
            let open = OpenPublic::new(activity.clone()).ok_or_else(|| {
                overloaded("too many calls of health and reflection are open on this connection; try again")
            })?;
            return Ok(Self::Public(open, peer.closing.clone()));
        }
        if activity.is_spare() && !peer.connections.has_room_for(activity) {
            return Err(too_many_connections());
        }
        Ok(Self::Call(Open::new(activity.clone())))
    }
}

pin_project! {
    /// A call until it is answered.
    pub(in crate::grpc) struct Limiting {
        answering: Answering,
        patience: Duration,
        // There once the call has to wait for something: most are answered at once.
        #[pin]
        limit: Option<Sleep>,
        kind: Kind,
        place: Option<Place>,
    }
}

impl Future for Limiting {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let response = match this.answering.as_mut().poll(context) {
            Poll::Ready(Ok(response)) => response,
            Poll::Pending => {
                // A timer rings a millisecond late at the least, and tonic's would ring with it.
                if !this.patience.is_zero() {
                    if this.limit.is_none() {
                        this.limit.set(Some(sleep(*this.patience)));
                    }
                    if let Some(limit) = this.limit.as_pin_mut() {
                        ready!(limit.poll(context));
                    }
                }
                timed_out().into_http()
            }
        };
        let place = this.place.take();
        let code = response.headers().get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
        Poll::Ready(Ok(match (code, *this.kind, place) {
            (Some(_), kind, _) => explain(response, kind),
            (None, Kind::Change, Some(Place::Call(open))) => whole(response, &open.0, false, context),
            (None, Kind::List, Some(Place::Call(open))) => whole(response, &open.0, true, context),
            (None, Kind::Stream, Some(Place::Call(open))) => {
                response.map(|body| Body::new(Streamed::new(body, open)))
            }
            (None, _, Some(Place::Public(open, closing))) => {
                response.map(|body| Body::new(Public::until(closing, open, body)))
            }
            _ => response,
        }))
    }
}

/// An error with details, whoever made it.
fn explain(response: Response<Body>, kind: Kind) -> Response<Body> {
    if response.headers().contains_key(DETAILS) {
        return response;
    }
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => {
            let largest = if kind == Kind::Public { LARGEST_PUBLIC } else { LARGEST_MESSAGE };
            explained(status, largest).into_http()
        }
        _ => response,
    }
}

const DETAILS: &str = "grpc-status-details-bin";

/// How long a call may work on what it can answer in part: a little less than it has.
pub(in crate::grpc) fn patience(metadata: &MetadataMap) -> Duration {
    let deadline = deadline(metadata.as_ref()).unwrap_or(LONGEST_CALL).min(LONGEST_CALL);
    deadline * 4 / 5
}

fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let deadline = timeout(headers.get("grpc-timeout")?.to_str().ok()?)?;
    Some(deadline.saturating_sub(EARLIER))
}

/// How a call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Little, and so often that nothing may be done about it.
    Verification,
    /// One resource, or what became of a change.
    Change,
    /// As much as fits: a page, or a batch.
    List,
    Stream,
    /// Health and reflection.
    Public,
}

impl Kind {
    fn of(path: &str) -> Self {
        match path {
            "/keystile.v1.VerifyService/Verify" => Self::Verification,
            "/keystile.v1.VerifyService/StreamVerify" | "/keystile.v1.AuditService/WatchAuditEvents" => {
                Self::Stream
            }
            _ if OPEN.iter().any(|open| path.starts_with(open)) => Self::Public,
            "/keystile.v1.VerifyService/BatchVerify" => Self::List,
            _ if path.contains("/List") => Self::List,
            _ => Self::Change,
        }
    }
}

/// A span as gRPC writes it: up to eight digits and a unit.
pub(in crate::grpc) fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("20S", Some(Duration::from_secs(20))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("123456789n", None),
            ("S", None),
            ("", None),
            ("1é", None),
            ("5", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }
}
