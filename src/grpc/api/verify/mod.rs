//! VerifyService on the wire.

mod batch;
mod encoded;
mod expressions;
mod item;
mod question;
mod stream;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Request, Response, Status, Streaming};

use crate::{
    grpc::{
        api::services::verify_service_server::VerifyService,
        transport::{caller::StreamCaller, current},
        wire::status::unauthenticated,
    },
    ports::Credentials,
    verbs::{Session, Verifier},
};

pub(in crate::grpc) use encoded::EncodedDecision;
pub use encoded::KeyPartEncoder;
pub(in crate::grpc) use item::{EncodedBatch, EncodedItem};
use proto::{BatchVerifyRequest, StreamVerifyRequest, VerifyRequest};
pub(in crate::grpc) use question::{question, view};
use stream::Answers;

/// The caller's session.
fn session(extensions: &Extensions) -> Result<&Arc<Session>, Status> {
    current::session(extensions).ok_or_else(unauthenticated)
}

#[derive(Debug)]
pub(in crate::grpc) struct VerifyApi<C> {
    pub(in crate::grpc) verifier: Arc<Verifier<C>>,
    pub(in crate::grpc) stop: CancellationToken,
}

#[tonic::async_trait]
impl<C: Credentials> VerifyService for VerifyApi<C> {
    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<EncodedDecision>, Status> {
        let (metadata, extensions, request) = request.into_parts();
        let session = session(&extensions)?;
        let (request, view) = question::read(request, question::patience(&metadata))?;
        let decision = self.verifier.verify(session.projects(), request).await?;
        Ok(Response::new(EncodedDecision::new(decision, view)))
    }

    async fn batch_verify(
        &self,
        request: Request<BatchVerifyRequest>,
    ) -> Result<Response<EncodedBatch>, Status> {
        let (metadata, extensions, request) = request.into_parts();
        let (session, patience) = (session(&extensions)?, question::patience(&metadata));
        let results = batch::verify(&self.verifier, session, batch::read(request)?, patience).await;
        Ok(Response::new(EncodedBatch { results }))
    }

    type StreamVerifyStream = Answers<C>;

    async fn stream_verify(
        &self,
        request: Request<Streaming<StreamVerifyRequest>>,
    ) -> Result<Response<Answers<C>>, Status> {
        let patience = question::patience(request.metadata());
        let caller = StreamCaller::of(&self.verifier, request.extensions())?;
        let answers = Answers::new(caller, request.into_inner(), patience, &self.stop);
        Ok(Response::new(answers))
    }
}
