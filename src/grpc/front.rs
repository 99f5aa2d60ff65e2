//! The shortest way for the calls that all others wait for: verifications go past the router.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{body::Body, service::Routes};
use tower::{Layer, Service};

use crate::ports::Credentials;

use super::{
    authenticate::Answering,
    verify::{VerifyApi, VerifyServiceServer},
};

/// Where verifications go, where they are served.
#[derive(Debug)]
pub(super) struct Front<C>(pub(super) Option<VerifyServiceServer<VerifyApi<C>>>);

#[derive(Debug)]
pub(super) struct Fronted<C> {
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
        match &mut self.verify {
            Some(verify) if request.uri().path().starts_with("/keystile.v1.VerifyService/") => {
                verify.call(request)
            }
            _ => Box::pin(self.others.call(request)),
        }
    }
}
