//! Whether the caller may call the method. This comes before anything of the request is read: a caller that may not call a
//! method learns nothing of what it would say. It is asked again when the request is complete.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    grpc::wire::transport_status::no_such_method,
    ports::Credentials,
    verbs::{Session, Verifier},
};

use super::{
    authenticate::ResponseFuture,
    complete::checked_when_complete,
    methods::{STREAM_VERIFY, VERIFY, is_public},
    permissions::{Denied, Required, allows, required},
};

#[derive(Debug)]
pub(in crate::grpc) struct Authorize<C>(pub(in crate::grpc) Arc<Verifier<C>>);

impl<C> Clone for Authorize<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, C> Layer<S> for Authorize<C> {
    type Service = Authorized<S, C>;

    fn layer(&self, inner: S) -> Authorized<S, C> {
        Authorized { inner, verifier: self.0.clone() }
    }
}

#[derive(Debug)]
pub(in crate::grpc) struct Authorized<S, C> {
    inner: S,
    verifier: Arc<Verifier<C>>,
}

impl<S: Clone, C> Clone for Authorized<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), verifier: self.verifier.clone() }
    }
}

impl<S, C> Service<Request<Body>> for Authorized<S, C>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = ResponseFuture>,
    C: Credentials,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        match self.check(request) {
            Ok(request) => self.inner.call(request),
            Err(refused) => Box::pin(std::future::ready(Ok(refused.into_http()))),
        }
    }
}

impl<S, C: Credentials> Authorized<S, C> {
    /// The request, if its caller may call the method. What is neither public nor in the contract is not called at all.
    fn check(&self, mut request: Request<Body>) -> Result<Request<Body>, Status> {
        let path = request.uri().path();
        let Some(permission) = required(path) else {
            return if is_public(path) { Ok(request) } else { Err(no_such_method(path)) };
        };
        let (is_verify, is_stream) = (path == VERIFY, path == STREAM_VERIFY);
        check_permission(request.extensions(), permission)?;
        if is_verify {
            return Ok(request);
        }
        request.extensions_mut().insert(Required(permission));
        // Each message of a stream is checked on its own.
        if is_stream { Ok(request) } else { checked_when_complete(request, &self.verifier) }
    }
}

fn check_permission(extensions: &Extensions, permission: &'static str) -> Result<(), Denied> {
    // Without a session there is no caller, which nothing but a mistake in the order of the layers can bring about.
    let allowed = extensions.get::<Arc<Session>>().is_some_and(|session| allows(session, permission));
    if allowed { Ok(()) } else { Err(Denied(permission)) }
}
