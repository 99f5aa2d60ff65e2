//! A channel that sends the caller's credential with every call.

use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use tonic::{
    body::Body,
    transport::{Channel, Error, channel::ResponseFuture},
};
use tower_service::Service;

#[derive(Debug, Clone)]
pub(crate) struct Authorized {
    channel: Channel,
    authorization: HeaderValue,
}

impl Authorized {
    pub(crate) fn new(channel: Channel, authorization: HeaderValue) -> Self {
        Self { channel, authorization }
    }
}

impl Service<Request<Body>> for Authorized {
    type Response = Response<Body>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        self.channel.call(request)
    }
}
