//! Calls of BatchVerify, StreamVerify and WatchAuditEvents.

use std::time::Duration;

use proto::{
    Code, StreamVerifyRequest, StreamVerifyResponse, VerifyError, VerifyRequest, VerifyResponse,
    audit_service_client::AuditServiceClient, stream_verify_response, verify_result,
    verify_service_client::VerifyServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};

use crate::PATIENCE;

use super::{Answer, Bearer, Client, Server, channel, inner};

/// One result of several: a decision or an error.
pub type Outcome = Result<VerifyResponse, VerifyError>;

impl Server {
    pub async fn batch(&self, requests: Vec<VerifyRequest>) -> Answer<Vec<Outcome>> {
        let answer = inner(self.verifier().batch_verify(proto::BatchVerifyRequest { requests }).await)?;
        Ok(answer.results.into_iter().map(outcome).collect())
    }

    /// A stream with this credential.
    pub async fn talk_as(&self, api_key: &str) -> Answer<Talk> {
        self.talk_on(channel(self.verify), api_key, None).await
    }

    /// A stream with this deadline.
    pub async fn talk_for(&self, deadline: Duration) -> Talk {
        self.talk_on(channel(self.verify), &self.root, Some(deadline)).await.unwrap()
    }

    pub async fn talk_on(&self, channel: Channel, api_key: &str, deadline: Option<Duration>) -> Answer<Talk> {
        let (questions, receiver) = mpsc::channel(64);
        let mut client: VerifyServiceClient<Client> =
            VerifyServiceClient::with_interceptor(channel, Bearer::new(api_key));
        let mut request = Request::new(ReceiverStream::new(receiver));
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let answers = inner(client.stream_verify(request).await)?;
        Ok(Talk { questions, answers })
    }

    pub async fn talk(&self) -> Talk {
        self.talk_as(&self.root).await.unwrap()
    }

    /// Waits until this node has followed the log to its end, and returns that revision.
    pub async fn caught_up(&self) -> i64 {
        let head = self.revision().await;
        let request = VerifyRequest { api_key: self.root.clone(), min_revision: head, ..Default::default() };
        assert_eq!(self.ask(request).await.unwrap().code(), Code::Valid);
        head
    }

    pub async fn watch_as(
        &self,
        api_key: &str,
        request: proto::WatchAuditEventsRequest,
    ) -> Answer<Streaming<proto::WatchAuditEventsResponse>> {
        let mut client: AuditServiceClient<Client> =
            AuditServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key));
        inner(client.watch_audit_events(request).await)
    }
}

pub fn outcome(result: proto::VerifyResult) -> Outcome {
    match result.result.expect("a result is a decision or an error") {
        verify_result::Result::Decision(decision) => Ok(decision),
        verify_result::Result::Error(error) => Err(error),
    }
}

/// Both directions of a StreamVerify.
#[derive(Debug)]
pub struct Talk {
    pub questions: mpsc::Sender<StreamVerifyRequest>,
    pub answers: Streaming<StreamVerifyResponse>,
}

impl Talk {
    /// Sends a request, and expects a decision; fails with the status if the stream ended.
    pub async fn is_answered(&mut self) -> Result<(), Status> {
        self.code("junk").await.map(|code| assert_eq!(code, Code::Malformed))
    }

    /// The status with which the stream ends while it is idle.
    pub async fn ended_while_idle(&mut self) -> Status {
        let end = tokio::time::timeout(PATIENCE, self.next()).await.expect("the stream does not end");
        end.expect_err("the stream ends with an error")
    }

    pub async fn send(&self, request: VerifyRequest) {
        self.questions.send(StreamVerifyRequest { request: Some(request) }).await.unwrap();
    }

    pub async fn next(&mut self) -> Result<Option<Outcome>, Status> {
        next(&mut self.answers).await
    }

    /// Sends one request, and waits for its result.
    pub async fn ask(&mut self, request: VerifyRequest) -> Result<Outcome, Status> {
        self.send(request).await;
        Ok(self.next().await?.expect("the stream is open"))
    }

    pub async fn code(&mut self, api_key: &str) -> Result<Code, Status> {
        let answer = self.ask(VerifyRequest { api_key: api_key.into(), ..Default::default() }).await?;
        Ok(answer.expect("the result is a decision").code())
    }
}

/// The next result; `None` at the end.
pub async fn next(answers: &mut Streaming<StreamVerifyResponse>) -> Result<Option<Outcome>, Status> {
    let answer = answers.message().await?;
    Ok(answer.map(|it| match it.result.expect("a result is a decision or an error") {
        stream_verify_response::Result::Decision(decision) => Ok(decision),
        stream_verify_response::Result::Error(error) => Err(error),
    }))
}
