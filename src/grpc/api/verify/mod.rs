//! VerifyService on the wire: the way that every call of every sibling service takes.

mod answer;
mod item;
mod question;
mod several;
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

pub(in crate::grpc) use answer::Answer;
pub use answer::render;
pub(in crate::grpc) use item::{BatchAnswer, ItemAnswer};
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
    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<Answer>, Status> {
        let patience = question::patience(request.metadata());
        let request = question::read(request.into_inner(), patience)?;
        Ok(Response::new(self.verifier.verify(&request).await?.into()))
    }

    async fn batch_verify(
        &self,
        request: Request<BatchVerifyRequest>,
    ) -> Result<Response<BatchAnswer>, Status> {
        let patience = question::patience(request.metadata());
        let requests = several::read(request.into_inner())?;
        let results = several::verify(&self.verifier, requests, patience).await;
        Ok(Response::new(BatchAnswer { results }))
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
