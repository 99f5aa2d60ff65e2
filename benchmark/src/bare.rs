//! The bare service that ours is compared with: plain tonic and prost, without any logic. It returns the same response as
//! ours, built again for every call, and looks nothing up.

use std::pin::Pin;

use proto::{
    stream_verify_response, verify_result,
    verify_service_server::{VerifyService, VerifyServiceServer},
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

/// Answers every request with `answer`.
pub(crate) async fn serve(
    listener: TcpListener,
    answer: proto::VerifyResponse,
) -> Result<(), tonic::transport::Error> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(VerifyServiceServer::new(Bare { answer }))
        .serve_with_incoming(incoming)
        .await
}

struct Bare {
    answer: proto::VerifyResponse,
}

#[tonic::async_trait]
impl VerifyService for Bare {
    async fn verify(
        &self,
        request: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        Ok(Response::new(answer(&self.answer, &request.into_inner())))
    }

    async fn batch_verify(
        &self,
        request: Request<proto::BatchVerifyRequest>,
    ) -> Result<Response<proto::BatchVerifyResponse>, Status> {
        let requests = request.into_inner().requests;
        let results = requests.iter().map(|request| {
            let decision = answer(&self.answer, request);
            proto::VerifyResult { result: Some(verify_result::Result::Decision(decision)) }
        });
        Ok(Response::new(proto::BatchVerifyResponse { results: results.collect() }))
    }

    type StreamVerifyStream = Pin<Box<dyn Stream<Item = Result<proto::StreamVerifyResponse, Status>> + Send>>;

    async fn stream_verify(
        &self,
        request: Request<Streaming<proto::StreamVerifyRequest>>,
    ) -> Result<Response<Self::StreamVerifyStream>, Status> {
        let model = self.answer.clone();
        let answers = request.into_inner().map(move |request| {
            let decision = answer(&model, &request?.request.unwrap_or_default());
            Ok(proto::StreamVerifyResponse {
                result: Some(stream_verify_response::Result::Decision(decision)),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Field by field, as in an ordinary handler; the request is decoded and otherwise ignored.
fn answer(model: &proto::VerifyResponse, request: &proto::VerifyRequest) -> proto::VerifyResponse {
    std::hint::black_box(request);
    model.clone()
}
