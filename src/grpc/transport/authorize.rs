//! Whether the caller may call the method. This comes before anything of the request is read: a caller that may not call a
//! method learns nothing of what it would say.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{grpc::wire::status::permission_denied, verbs::Session};

use super::{authenticate::ResponseFuture, methods::VERIFY, permissions::required};

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Authorize;

impl<S> Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized { inner }
    }
}

#[derive(Debug, Clone)]
pub(in crate::grpc) struct Authorized<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Authorized<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = ResponseFuture>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        match check(request.uri().path(), request.extensions()) {
            Ok(permission) => {
                if request.uri().path() != VERIFY
                    && let Some(permission) = permission
                {
                    request.extensions_mut().insert(Required(permission));
                }
                self.inner.call(request)
            }
            Err(denied) => Box::pin(std::future::ready(Ok(denied.into_http()))),
        }
    }
}

/// What is no method of the contract (health, reflection, and what does not exist) needs no permission.
fn check(path: &str, extensions: &Extensions) -> Result<Option<&'static str>, Denied> {
    let Some(permission) = required(path) else { return Ok(None) };
    // Without a session there is no caller, which nothing but a mistake in the order of the layers can bring about.
    let allowed = extensions.get::<Arc<Session>>().is_some_and(|session| allows(session, permission));
    if allowed { Ok(Some(permission)) } else { Err(Denied(permission)) }
}

/// The permission that a method needs, for streams, which look at their caller again. A Verify does not carry it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Required(pub(super) &'static str);

/// Whether the caller of `session` may call a method that needs `permission`.
pub(super) fn allows(session: &Session, permission: &str) -> bool {
    permission.is_empty() || session.access().allows(permission)
}

/// The permission that the caller does not have.
#[derive(Debug, Clone, Copy)]
pub(in crate::grpc) struct Denied(pub(in crate::grpc) &'static str);

impl Denied {
    fn into_http(self) -> Response<Body> {
        Status::from(self).into_http()
    }
}

impl From<Denied> for Status {
    fn from(Denied(permission): Denied) -> Self {
        permission_denied(permission)
    }
}
