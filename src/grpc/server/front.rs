//! The shortest way for the calls that all others wait for: verifications go past the router.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body, service::Routes};
use tower::{Layer, Service};

use crate::{
    grpc::{
        api::verify::VerifyApi,
        transport::authenticate::{Answering, OPEN},
        wire::{services::verify_service_server::VerifyServiceServer, transport_status::no_such_service},
    },
    ports::Credentials,
    telemetry::LetIn,
};

use super::{ADMIN, VERIFY};

/// Where verifications go, where they are served.
#[derive(Debug)]
pub(in crate::grpc) struct Front<C>(pub(in crate::grpc) Option<VerifyServiceServer<VerifyApi<C>>>);

#[derive(Debug)]
pub(in crate::grpc) struct Fronted<C> {
    verify: Option<VerifyServiceServer<VerifyApi<C>>>,
    others: Routes,
}

impl<C> Clone for Front<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Clone for Fronted<C> {
    fn clone(&self) -> Self {
        Self { verify: self.verify.clone(), others: self.others.clone() }
    }
}

impl<C> Layer<Routes> for Front<C> {
    type Service = Fronted<C>;

    fn layer(&self, others: Routes) -> Fronted<C> {
        Fronted { verify: self.0.clone(), others }
    }
}

impl<C: Credentials> Service<Request<Body>> for Fronted<C> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        // Who gets here is authenticated, or calls what anybody may.
        if let Some(let_in) = request.extensions().get::<LetIn>() {
            let_in.note();
        }
        match &mut self.verify {
            Some(verify) if request.uri().path().starts_with("/keystile.v1.VerifyService/") => {
                verify.call(request)
            }
            _ => match elsewhere(request.uri().path(), self.verify.is_some()) {
                Some(status) => Box::pin(std::future::ready(Ok(status.into_http()))),
                None => Box::pin(self.others.call(request)),
            },
        }
    }
}

/// Why no service here takes a call of `path`, if none does.
fn elsewhere(path: &str, verify: bool) -> Option<Status> {
    let service =
        path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or(path, |(service, _)| service);
    let (here, there, listener) =
        if verify { (&VERIFY[..], &ADMIN[..], "admin") } else { (&ADMIN[..], &VERIFY[..], "verify") };
    if here.contains(&service) || OPEN.iter().any(|open| path.starts_with(open)) {
        return None;
    }
    Some(no_such_service(service, there.contains(&service).then_some(listener)))
}
