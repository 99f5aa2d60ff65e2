//! The limits of every call: its time, and its share of the connection. Errors of libraries get details here.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tower::{Layer, Service};

use super::{
    activity::{OpenCall, OpenPublicCall},
    authenticate::ResponseFuture,
    methods::Kind,
    peer::Peer,
    public::public,
    single::single,
    streamed::streamed,
};
use crate::grpc::wire::transport_status::{
    LARGEST_MESSAGE, LARGEST_PUBLIC, explained, overloaded, timed_out, too_many_connections,
};

/// A call that takes longer has lost its caller, or has one that sends its request byte by byte.
const LONGEST_CALL: Duration = Duration::from_secs(30);
/// How long before its own deadline a call is ended: tonic ends it at the deadline, without details.
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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = ResponseFuture>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Limiting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Limiting {
        let kind = Kind::of(request.uri().path());
        let share = request.extensions().get::<Peer>().map(|peer| Share::of(peer, kind)).transpose();
        let patience =
            deadline(request.headers()).map_or(LONGEST_CALL, |deadline| deadline.min(LONGEST_CALL));
        let (share, response) = match share {
            Ok(share) => (share, self.inner.call(request)),
            Err(status) => (None, Box::pin(std::future::ready(Ok(status.into_http()))) as ResponseFuture),
        };
        Limiting { response, patience, limit: None, kind, share }
    }
}

/// What a call occupies of its connection.
enum Share {
    Call(OpenCall),
    Public(OpenPublicCall, CancellationToken),
}

impl Share {
    /// An error when nothing is left.
    fn of(peer: &Peer, kind: Kind) -> Result<Self, Status> {
        let activity = &peer.activity;
        if kind == Kind::Public {
            let open = OpenPublicCall::new(activity.clone()).ok_or_else(|| {
                overloaded("too many calls of health and reflection are open on this connection; try again")
            })?;
            return Ok(Self::Public(open, peer.stop.clone()));
        }
        if activity.is_spare() && !peer.connections.has_room_for(activity) {
            return Err(too_many_connections());
        }
        Ok(Self::Call(OpenCall::new(activity.clone())))
    }
}

pin_project! {
    /// A call until it is answered.
    pub(in crate::grpc) struct Limiting {
        response: ResponseFuture,
        patience: Duration,
        // Created only when the call has to wait: most are answered at once.
        #[pin]
        limit: Option<Sleep>,
        kind: Kind,
        share: Option<Share>,
    }
}

impl Future for Limiting {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let response = match this.response.as_mut().poll(context) {
            Poll::Ready(Ok(response)) => response,
            Poll::Pending => {
                // No timer for an expired deadline: it would fire a millisecond late, and tonic's with it.
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
        let share = this.share.take();
        let code = response.headers().get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
        Poll::Ready(Ok(match (code, *this.kind, share) {
            (Some(_), kind, _) => explain(response, kind),
            (None, Kind::Change, Some(Share::Call(open))) => {
                single(response, open.activity(), false, context)
            }
            (None, Kind::List, Some(Share::Call(open))) => single(response, open.activity(), true, context),
            (None, Kind::Stream, Some(Share::Call(open))) => {
                response.map(|body| Body::new(streamed(body, open)))
            }
            (None, _, Some(Share::Public(open, stop))) => response.map(|body| public(body, open, stop)),
            _ => response,
        }))
    }
}

/// Adds details to an error that has none.
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

/// How long a call that can answer in part may work: a little less than the time that it has.
pub(in crate::grpc) fn patience(metadata: &MetadataMap) -> Duration {
    let deadline = deadline(metadata.as_ref()).unwrap_or(LONGEST_CALL).min(LONGEST_CALL);
    deadline * 4 / 5
}

fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let deadline = timeout(headers.get("grpc-timeout")?.to_str().ok()?)?;
    Some(deadline.saturating_sub(EARLIER))
}

/// Parses `grpc-timeout`: up to eight digits and a unit.
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
    fn timeouts_are_parsed() {
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
