//! A call whose body the test holds back.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use proto::{VerifyRequest, VerifyResponse};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, spawn},
};
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status, client::Grpc, codegen::http::uri::PathAndQuery, service::Interceptor,
    transport::Channel,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_prost::ProstCodec;

use crate::home::Caller;

/// A Verify that the server has begun to serve, whose message it has not received yet.
#[derive(Debug)]
pub(crate) struct Held {
    request: oneshot::Sender<VerifyRequest>,
    answer: JoinHandle<Result<Response<VerifyResponse>, Status>>,
}

impl Held {
    pub(crate) async fn verify(caller: &Caller) -> Self {
        let (request, late) = oneshot::channel();
        let (sent, on_its_way) = oneshot::channel();
        let body = Late { request: Some(late), polled: Some(sent) };
        let channel = caller.verify.clone();
        let mut bearer = caller.bearer.clone();
        let answer = spawn(async move {
            let request = bearer.call(Request::new(()))?.map(|()| body);
            let path = PathAndQuery::from_static("/keystile.v1.VerifyService/Verify");
            let mut grpc = Grpc::new(channel);
            grpc.ready().await.unwrap();
            let codec = ProstCodec::<VerifyRequest, VerifyResponse>::default();
            grpc.client_streaming(request, path, codec).await
        });
        // The client has sent the headers once it polls the body, so another call on the connection follows them.
        on_its_way.await.unwrap();
        is_answered(caller.verify.clone()).await;
        Self { request, answer }
    }

    /// Sends the request, and returns the server's response.
    pub(crate) async fn release(self, api_key: &str) -> Result<VerifyResponse, Status> {
        let request = VerifyRequest { api_key: api_key.into(), ..Default::default() };
        self.request.send(request).unwrap();
        answered(self.answer).await
    }

    /// The result of the call if its request is never sent.
    pub(crate) async fn cut_off(self) -> Result<VerifyResponse, Status> {
        let Self { request, answer } = self;
        let answer = answered(answer).await;
        drop(request);
        answer
    }
}

async fn answered(
    answer: JoinHandle<Result<Response<VerifyResponse>, Status>>,
) -> Result<VerifyResponse, Status> {
    answer.await.unwrap().map(Response::into_inner)
}

async fn is_answered(channel: Channel) {
    let request = HealthCheckRequest::default();
    HealthClient::new(channel).check(request).await.unwrap();
}

/// A body that is sent later.
struct Late {
    request: Option<oneshot::Receiver<VerifyRequest>>,
    polled: Option<oneshot::Sender<()>>,
}

impl Stream for Late {
    type Item = VerifyRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<VerifyRequest>> {
        if let Some(polled) = self.polled.take() {
            polled.send(()).unwrap();
        }
        let Some(request) = &mut self.request else {
            return Poll::Ready(None);
        };
        let came = ready!(Pin::new(request).poll(context));
        self.request = None;
        Poll::Ready(came.ok())
    }
}
