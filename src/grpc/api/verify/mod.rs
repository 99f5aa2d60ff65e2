//! VerifyService on the wire.

mod batch;
mod encoded;
mod item;
mod question;
mod stream;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    grpc::{
        api::services::verify_service_server::VerifyService, transport::caller::StreamCaller,
        wire::status::unauthenticated,
    },
    ports::Credentials,
    verbs::{Session, Verifier},
};

pub(in crate::grpc) use encoded::EncodedDecision;
pub use encoded::KeyPartEncoder;
pub(in crate::grpc) use item::{EncodedBatch, EncodedItem};
use proto::{BatchVerifyRequest, StreamVerifyRequest, VerifyRequest};
pub(in crate::grpc) use question::question;
use stream::Answers;

#[derive(Debug)]
pub(in crate::grpc) struct VerifyApi<C> {
    pub(in crate::grpc) verifier: Arc<Verifier<C>>,
    pub(in crate::grpc) stop: CancellationToken,
}

#[tonic::async_trait]
impl<C: Credentials> VerifyService for VerifyApi<C> {
    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<EncodedDecision>, Status> {
        let patience = question::patience(request.metadata());
        let request = question::read(request.into_inner(), patience)?;
        Ok(Response::new(self.verifier.verify(request).await?.into()))
    }

    async fn batch_verify(
        &self,
        request: Request<BatchVerifyRequest>,
    ) -> Result<Response<EncodedBatch>, Status> {
        let patience = question::patience(request.metadata());
        let requests = batch::read(request.into_inner())?;
        let results = batch::verify(&self.verifier, requests, patience).await;
        Ok(Response::new(EncodedBatch { results }))
    }

    type StreamVerifyStream = Answers<C>;

    async fn stream_verify(
        &self,
        mut request: Request<Streaming<StreamVerifyRequest>>,
    ) -> Result<Response<Answers<C>>, Status> {
        let session = request.extensions_mut().remove::<Arc<Session>>().ok_or_else(unauthenticated)?;
        let patience = question::patience(request.metadata());
        let caller = StreamCaller::new(self.verifier.clone(), session);
        let answers = Answers::new(caller, request.into_inner(), patience, &self.stop);
        Ok(Response::new(answers))
    }
}
