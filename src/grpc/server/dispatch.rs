//! Sends a call to its service: verifications directly, because they are nearly all calls, and all others through the router.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body, service::Routes};
use tower::{Layer, Service};

use crate::{
    grpc::{
        api::{services::verify_service_server::VerifyServiceServer, verify::VerifyApi},
        transport::{
            authenticate::ResponseFuture,
            methods::{ADMIN_SERVICES, VERIFY_SERVICE, VERIFY_SERVICES, is_public},
        },
        wire::transport_status::no_such_service,
    },
    ports::Credentials,
    telemetry::CallerTrust,
};

/// `VerifyService`, on the listener that has it.
#[derive(Debug)]
pub(in crate::grpc) struct Dispatch<C>(pub(in crate::grpc) Option<VerifyServiceServer<VerifyApi<C>>>);

#[derive(Debug)]
pub(in crate::grpc) struct Dispatcher<C> {
    verify: Option<VerifyServiceServer<VerifyApi<C>>>,
    others: Routes,
}

impl<C> Clone for Dispatch<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Clone for Dispatcher<C> {
    fn clone(&self) -> Self {
        Self { verify: self.verify.clone(), others: self.others.clone() }
    }
}

impl<C> Layer<Routes> for Dispatch<C> {
    type Service = Dispatcher<C>;

    fn layer(&self, others: Routes) -> Dispatcher<C> {
        Dispatcher { verify: self.0.clone(), others }
    }
}

impl<C: Credentials> Service<Request<Body>> for Dispatcher<C> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        // Only calls that are authenticated, or public, get here.
        if let Some(trust) = request.extensions().get::<CallerTrust>() {
            trust.grant();
        }
        match &mut self.verify {
            Some(verify) if is_verification(request.uri().path()) => verify.call(request),
            _ => match refusal(request.uri().path(), self.verify.is_some()) {
                Some(status) => Box::pin(std::future::ready(Ok(status.into_http()))),
                None => Box::pin(self.others.call(request)),
            },
        }
    }
}

/// Whether `path` is a method of `VerifyService`.
fn is_verification(path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(VERIFY_SERVICE));
    method.is_some_and(|method| method.starts_with('/'))
}

/// The error of a call whose service this listener does not have.
fn refusal(path: &str, verify: bool) -> Option<Status> {
    let service =
        path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or(path, |(service, _)| service);
    let (here, there, other_listener) = if verify {
        (&VERIFY_SERVICES, &ADMIN_SERVICES, "admin")
    } else {
        (&ADMIN_SERVICES, &VERIFY_SERVICES, "verify")
    };
    let has = |services: &[String]| services.iter().any(|name| name == service);
    if has(here) || is_public(path) {
        return None;
    }
    Some(no_such_service(service, has(there).then_some(other_listener)))
}
