//! The hot path: many verifications in one call, streams, watches, and how new an answer is.

mod batch_verify;
mod min_revision;
mod rewinds;
mod stream_caller;
mod stream_flow;
mod stream_verify;
mod watch_audit_events;

use std::time::Duration;

use proto::{
    Code, StreamVerifyRequest, StreamVerifyResponse, VerifyError, VerifyRequest, VerifyResponse,
    audit_service_client::AuditServiceClient, stream_verify_response, verify_result,
    verify_service_client::VerifyServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};

use crate::{
    calls::{Answer, inner},
    support::server::{Bearer, Client, Server, channel},
};

/// For whatever must not take for ever: far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One of several answers.
type Outcome = Result<VerifyResponse, VerifyError>;

impl Server {
    pub(crate) async fn batch(&self, requests: Vec<VerifyRequest>) -> Answer<Vec<Outcome>> {
        let answer = inner(self.verifier().batch_verify(proto::BatchVerifyRequest { requests }).await)?;
        Ok(answer.results.into_iter().map(outcome).collect())
    }

    /// A stream of the caller with this credential.
    async fn talk_as(&self, api_key: &str) -> Answer<Talk> {
        self.talk_on(channel(self.verify), api_key, None).await
    }

    /// A stream with that deadline.
    async fn talk_for(&self, deadline: Duration) -> Talk {
        self.talk_on(channel(self.verify), &self.root, Some(deadline)).await.unwrap()
    }

    pub(crate) async fn talk_on(
        &self,
        channel: Channel,
        api_key: &str,
        deadline: Option<Duration>,
    ) -> Answer<Talk> {
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

    async fn talk(&self) -> Talk {
        self.talk_as(&self.root).await.unwrap()
    }

    /// The newest revision, once this node has come to it.
    async fn caught_up(&self) -> i64 {
        let head = self.revision().await;
        let request = VerifyRequest { min_revision: head, ..crate::calls::verify(&self.root) };
        assert_eq!(self.ask(request).await.unwrap().code(), Code::Valid);
        head
    }

    pub(crate) async fn watch_as(
        &self,
        api_key: &str,
        request: proto::WatchAuditEventsRequest,
    ) -> Answer<Streaming<proto::WatchAuditEventsResponse>> {
        let mut client: AuditServiceClient<Client> =
            AuditServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key));
        inner(client.watch_audit_events(request).await)
    }
}

fn outcome(result: proto::VerifyResult) -> Outcome {
    match result.result.expect("it is one or the other") {
        verify_result::Result::Decision(decision) => Ok(decision),
        verify_result::Result::Error(error) => Err(error),
    }
}

/// A stream, both ways.
pub(crate) struct Talk {
    questions: mpsc::Sender<StreamVerifyRequest>,
    answers: Streaming<StreamVerifyResponse>,
}

impl Talk {
    /// Whether an answer comes that is a decision; else why not.
    pub(crate) async fn goes_on(&mut self) -> Result<(), Status> {
        self.code("junk").await.map(|code| assert_eq!(code, Code::Malformed))
    }

    /// How it ends though nothing is asked.
    pub(crate) async fn ends_by_itself(&mut self) -> Status {
        let end = tokio::time::timeout(PATIENCE, self.next()).await.expect("it does not end");
        end.expect_err("it is not an answer")
    }

    async fn send(&self, request: VerifyRequest) {
        self.questions.send(StreamVerifyRequest { request: Some(request) }).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<Outcome>, Status> {
        next(&mut self.answers).await
    }

    /// What is answered to one question.
    async fn ask(&mut self, request: VerifyRequest) -> Result<Outcome, Status> {
        self.send(request).await;
        Ok(self.next().await?.expect("the stream goes on"))
    }

    async fn code(&mut self, api_key: &str) -> Result<Code, Status> {
        let answer = self.ask(crate::calls::verify(api_key)).await?;
        Ok(answer.expect("it is decided").code())
    }
}

/// The next answer; `None` at the end.
async fn next(answers: &mut Streaming<StreamVerifyResponse>) -> Result<Option<Outcome>, Status> {
    let answer = answers.message().await?;
    Ok(answer.map(|it| match it.result.expect("it is one or the other") {
        stream_verify_response::Result::Decision(decision) => Ok(decision),
        stream_verify_response::Result::Error(error) => Err(error),
    }))
}

/// Questions that fail, with the gRPC code and the reason that Verify fails with.
fn bad_questions(api_key: &str) -> Vec<(VerifyRequest, tonic::Code, &'static str)> {
    use tonic::Code::{InvalidArgument, Unimplemented};
    let question = || crate::calls::verify(api_key);
    let invalid = |request| (request, InvalidArgument, "INVALID_ARGUMENT");
    let not_yet = |request| (request, Unimplemented, "NOT_YET_AVAILABLE");
    vec![
        invalid(VerifyRequest { client_ip: "not an address".into(), ..question() }),
        invalid(VerifyRequest { environment: "Not One".into(), ..question() }),
        invalid(VerifyRequest { customer: "two words".into(), ..question() }),
        invalid(VerifyRequest { min_revision: -1, ..question() }),
        not_yet(VerifyRequest { permission: "a.read".into(), ..question() }),
        not_yet(VerifyRequest { endpoint: Some(proto::Endpoint::default()), ..question() }),
        not_yet(VerifyRequest { costs: vec![proto::Cost::default()], ..question() }),
        not_yet(VerifyRequest { credits: Some(0), ..question() }),
        not_yet(VerifyRequest { tags: vec!["a".into()], ..question() }),
    ]
}

/// Checks that it is what Verify would have failed with.
#[track_caller]
fn assert_fails(outcome: &Outcome, code: tonic::Code, reason: &str) {
    let Err(error) = outcome else {
        panic!("it did not fail: {outcome:?}");
    };
    assert_eq!(error.status_code, i32::from(code), "{error:?}");
    assert_eq!(error.reason, reason, "{error:?}");
    assert_ne!(error.message, "");
}

/// Checks that the call failed for want of a credential.
#[track_caller]
fn assert_unauthenticated<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.expect_err("the credential is over");
    assert_eq!(crate::support::status::reason(&status, tonic::Code::Unauthenticated), "UNAUTHENTICATED");
}

/// Checks that the call ended because the server stops.
#[track_caller]
fn assert_closing<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.expect_err("the server stops");
    assert_eq!(crate::support::status::reason(&status, tonic::Code::Unavailable), "STOPPING");
}
