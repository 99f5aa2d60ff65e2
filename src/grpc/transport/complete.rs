//! The caller of a call is checked again when its request is complete. It was authenticated by the headers, and a body may come
//! much later: what a caller has lost by then it must not use.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Request;
use http_body::SizeHint;
use tonic::{Status, body::Body};

use crate::{ports::Credentials, verbs::Verifier};

use super::{
    body::NextFrame,
    current::{CurrentCaller, Renewed},
};

/// `request`, of which a method sees the end only if its caller may still call it. For methods that take one message: they run
/// when the request has ended.
pub(super) fn checked_when_complete<C: Credentials>(
    mut request: Request<Body>,
    verifier: &Arc<Verifier<C>>,
) -> Result<Request<Body>, Status> {
    let caller = Some(CurrentCaller::of(verifier, request.extensions())?);
    let renewed = Renewed::default();
    request.extensions_mut().insert(renewed.clone());
    Ok(request.map(|body| Body::new(Checked { body, end: None, caller, renewed })))
}

struct Checked<C> {
    body: Body,
    /// What ends the body, held back until the caller is checked: trailers, or nothing.
    end: Option<NextFrame>,
    /// `None` once it was checked.
    caller: Option<CurrentCaller<C>>,
    renewed: Renewed,
}

impl<C: Credentials> http_body::Body for Checked<C> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<NextFrame> {
        let this = &mut *self;
        if this.end.is_none() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                // tonic asks for nothing behind the trailers.
                Some(Ok(frame)) if frame.is_trailers() => this.end = Some(Some(Ok(frame))),
                None => this.end = Some(None),
                data_or_error => return Poll::Ready(data_or_error),
            }
        }
        if let Some(caller) = &mut this.caller {
            let moment = caller.verifier().moment();
            let checked = ready!(caller.poll_check(context, moment));
            if checked.is_ok() {
                // Nothing else sets it.
                let _ = this.renewed.0.set(caller.session().clone());
            }
            this.caller = None;
            if let Err(unproven) = checked {
                this.end = Some(None);
                return Poll::Ready(Some(Err(unproven.into())));
            }
        }
        Poll::Ready(this.end.replace(None).flatten())
    }

    /// Not before the caller is checked.
    fn is_end_stream(&self) -> bool {
        self.caller.is_none() && matches!(self.end, Some(None))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<C> Unpin for Checked<C> {}
