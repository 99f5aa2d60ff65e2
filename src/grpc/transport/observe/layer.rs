//! Where calls are observed: before anything else is done with them, and until their last word.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use crate::telemetry::Span;

use super::{Call, Observer, status};

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Observe(pub(in crate::grpc) Arc<Observer>);

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, observer: self.0.clone() }
    }
}

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Observed<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Observing<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Observing<S::Future> {
        let call = self.observer.begin(request.uri().path(), request.headers());
        if let Some(let_in) = call.span.as_ref().and_then(Span::let_in) {
            request.extensions_mut().insert(let_in);
        }
        Observing { answering: self.inner.call(request), call: Some(call) }
    }
}

pin_project! {
    /// A call until it is answered.
    pub(in crate::grpc) struct Observing<F> {
        #[pin]
        answering: F,
        call: Option<Call>,
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for Observing<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.answering.poll(context));
        Poll::Ready(Ok(match this.call.take() {
            Some(call) => call.answered(response),
            None => response,
        }))
    }
}

/// The answers of a stream that is sampled.
pub(super) struct Lasting {
    pub(super) body: Body,
    pub(super) call: Option<Call>,
}

impl http_body::Body for Lasting {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().and_then(status),
            Some(Err(status)) => Some(status.code()),
            None => Some(Code::Ok),
        };
        if let Some(code) = code
            && let Some(call) = self.call.take()
        {
            call.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
