//! VerifyService on the wire: the way that every call of every sibling service takes.

mod answer;
mod question;
mod several;
mod stream;

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use crate::{
    ports::Credentials,
    service::{Session, Verifier},
};

use super::{
    closing::Closing,
    proto::{BatchVerifyRequest, StreamVerifyRequest, VerifyRequest},
    status::unauthenticated,
};

pub use answer::{Answer, render};
pub(super) use generated::verify_service_server::VerifyServiceServer;
use generated::{BatchVerifyResponse, verify_service_server::VerifyService};
pub(super) use question::question;
use stream::Answers;

mod generated {
    #![expect(clippy::allow_attributes, unreachable_pub, reason = "the generator writes them")]

    include!(concat!(env!("OUT_DIR"), "/answers/keystile.v1.rs"));
}

#[derive(Debug)]
pub(super) struct VerifyApi<C> {
    pub(super) verifier: Arc<Verifier<C>>,
    pub(super) closing: Closing,
}

#[tonic::async_trait]
impl<C: Credentials> VerifyService for VerifyApi<C> {
    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<Answer>, Status> {
        let patience = question::patience(request.metadata());
        let request = question::read(request.into_inner(), patience)?;
        Ok(Response::new(self.verifier.verify(&request).await?.into()))
    }

    async fn batch_verify(
        &self,
        request: Request<BatchVerifyRequest>,
    ) -> Result<Response<BatchVerifyResponse>, Status> {
        let patience = question::patience(request.metadata());
        let requests = several::read(request.into_inner())?;
        let results = several::verify(&self.verifier, requests, patience).await;
        Ok(Response::new(BatchVerifyResponse { results }))
    }

    type StreamVerifyStream = Answers<C>;

    async fn stream_verify(
        &self,
        mut request: Request<Streaming<StreamVerifyRequest>>,
    ) -> Result<Response<Answers<C>>, Status> {
        let session = request.extensions_mut().remove::<Arc<Session>>().ok_or_else(unauthenticated)?;
        let patience = question::patience(request.metadata());
        let verifier = self.verifier.clone();
        let answers = Answers::new(verifier, session, request.into_inner(), patience, &self.closing);
        Ok(Response::new(answers))
    }
}
