//! Observes each call, from before anything else is done with it until its status.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::telemetry::Span;

use super::observer::{Call, Observer};

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
        if let Some(trust) = call.span().and_then(Span::trust) {
            request.extensions_mut().insert(trust);
        }
        Observing { response: self.inner.call(request), call: Some(call) }
    }
}

pin_project! {
    /// A call until it is answered.
    pub(in crate::grpc) struct Observing<F> {
        #[pin]
        response: F,
        call: Option<Call>,
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for Observing<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.response.poll(context));
        Poll::Ready(Ok(match this.call.take() {
            Some(call) => call.answered(response),
            None => response,
        }))
    }
}
