//! StreamVerify and BatchVerify where some keys are cached and the reads of others are held back.

use std::{sync::Arc, time::Duration};

use keystile::{
    grpc::{self, Health, Observer},
    telemetry::Metrics,
    verbs::RootKey,
};
use proto::{
    BatchVerifyRequest, Code, StreamVerifyRequest, StreamVerifyResponse, VerifyRequest,
    stream_verify_response::Result as Outcome, verify_result, verify_service_client::VerifyServiceClient,
};
use testkit::server::{Bearer, Client, channel};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{
    faulty::Mode,
    node::{LIMITS, Node, PATIENCE, TestKey, call},
};

/// A node on the wire.
struct Served {
    node: Arc<Node>,
    caller: RootKey,
    client: VerifyServiceClient<Client>,
    _database: testkit::database::Database,
}

struct Talk {
    questions: mpsc::Sender<StreamVerifyRequest>,
    answers: Streaming<StreamVerifyResponse>,
}

impl Served {
    async fn start() -> Self {
        let (database, node) = Node::on_fresh_database(LIMITS).await;
        let caller = node.service.mint_root_key().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (verifier, health) = (node.verifier.clone(), Health::new().await);
        let observer = Arc::new(Observer::new(&Metrics::new().meter(), node.clock.clone(), None));
        tokio::spawn(async move {
            grpc::serve_verify(listener, verifier, &health, observer, CancellationToken::new())
                .await
                .unwrap();
        });
        let bearer = Bearer::new(caller.api_key.expose());
        let client = VerifyServiceClient::with_interceptor(channel(address), bearer);
        Self { node: Arc::new(node), caller, client, _database: database }
    }

    async fn talk(&self) -> Talk {
        let (questions, receiver) = mpsc::channel(1000);
        let answers = self.client.clone().stream_verify(ReceiverStream::new(receiver)).await;
        Talk { questions, answers: answers.unwrap().into_inner() }
    }
}

impl Talk {
    async fn send(&self, api_key: &str) {
        let request = VerifyRequest { api_key: api_key.into(), ..Default::default() };
        self.questions.send(StreamVerifyRequest { request: Some(request) }).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<String>, Status> {
        let answer = self.answers.message().await?;
        Ok(answer.map(|answer| match answer.result.unwrap() {
            Outcome::Decision(decision) => format!("{:?} {}", decision.code(), decision.key),
            Outcome::Error(error) => error.reason,
        }))
    }
}

fn valid(key: &TestKey) -> Option<String> {
    Some(format!("{:?} {}", Code::Valid, key.name))
}

#[tokio::test]
async fn responses_keep_their_order_while_one_waits() {
    let served = Served::start().await;
    let keys = served.node.keys(20).await;
    let mut talk = served.talk().await;
    for key in &keys[..10] {
        talk.send(&key.api_key).await;
        assert_eq!(talk.next().await.unwrap(), valid(key));
    }
    served.node.store.set(Mode::Holds);
    // Cold and warm in turn.
    for number in 0..10 {
        talk.send(&keys[10 + number].api_key).await;
        talk.send(&keys[number].api_key).await;
    }
    // All cold keys share one query.
    served.node.store.held(10).await;
    served.node.store.set(Mode::Answers);
    for number in 0..10 {
        assert_eq!(talk.next().await.unwrap(), valid(&keys[10 + number]));
        assert_eq!(talk.next().await.unwrap(), valid(&keys[number]));
    }
}

#[tokio::test]
async fn a_database_that_fails_ends_no_stream() {
    let served = Served::start().await;
    let keys = served.node.keys(3).await;
    let mut talk = served.talk().await;
    talk.send(&keys[0].api_key).await;
    assert_eq!(talk.next().await.unwrap(), valid(&keys[0]));
    served.node.store.set(Mode::Fails);
    for key in &keys {
        talk.send(&key.api_key).await;
    }
    let unavailable = Some("STORE_UNAVAILABLE".to_owned());
    assert_eq!(talk.next().await.unwrap(), valid(&keys[0]));
    assert_eq!(talk.next().await.unwrap(), unavailable);
    assert_eq!(talk.next().await.unwrap(), unavailable);
    served.node.store.set(Mode::Answers);
    talk.send(&keys[1].api_key).await;
    assert_eq!(talk.next().await.unwrap(), valid(&keys[1]));
}

/// For longer than the limit, it is unknown whether the caller's key is still valid; but the stream is idle.
#[tokio::test]
async fn an_outage_ends_no_idle_stream() {
    let served = Served::start().await;
    let key = served.node.key("acme").await;
    let (mut idle, mut asking) = (served.talk().await, served.talk().await);
    for talk in [&mut idle, &mut asking] {
        talk.send(&key.api_key).await;
        assert_eq!(talk.next().await.unwrap(), valid(&key));
    }
    served.node.store.set(Mode::Fails);
    served.node.clock.advance(LIMITS.max_staleness + Duration::from_micros(1));
    served.node.store.loads();
    let looks_again = async {
        let mut loads = 0;
        while loads < 4 {
            loads += served.node.store.loads();
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looks_again).await.expect("the stream does not check its caller again");
    asking.send(&key.api_key).await;
    assert_eq!(asking.next().await.unwrap_err().code(), tonic::Code::Unavailable);
    served.node.store.set(Mode::Answers);
    idle.send(&key.api_key).await;
    assert_eq!(idle.next().await.unwrap(), valid(&key));
}

#[tokio::test]
async fn requests_sent_before_the_half_close_are_answered() {
    let served = Served::start().await;
    let keys = served.node.keys(10).await;
    let talk = served.talk().await;
    served.node.store.set(Mode::Holds);
    for key in &keys {
        talk.send(&key.api_key).await;
    }
    served.node.store.held(10).await;
    let Talk { questions, answers } = talk;
    drop(questions);
    served.node.store.set(Mode::Answers);
    let mut talk = Talk { questions: mpsc::channel(1).0, answers };
    for key in &keys {
        assert_eq!(talk.next().await.unwrap(), valid(key));
    }
    assert_eq!(talk.next().await.unwrap(), None);
}

/// A stream ends with OK only if every request was answered; after the caller's credential is revoked they are not.
#[tokio::test]
async fn a_credential_lost_after_the_half_close_is_no_clean_end() {
    let served = Served::start().await;
    let keys = served.node.keys(10).await;
    let mut talk = served.talk().await;
    talk.send("junk").await;
    talk.next().await.unwrap();
    served.node.store.set(Mode::Holds);
    for key in &keys {
        talk.send(&key.api_key).await;
    }
    served.node.store.held(10).await;
    let Talk { questions, mut answers } = talk;
    drop(questions);
    // By now the server has only responses that wait, and the half-close.
    let mut client = served.client.clone();
    let junk = VerifyRequest { api_key: "junk".into(), ..Default::default() };
    for _ in 0..3 {
        client.verify(junk.clone()).await.unwrap();
    }
    let reason = "".parse().unwrap();
    served.node.service.revoke_key(&call(), &served.caller.name, "", &reason).await.unwrap();
    served.node.store.set(Mode::Answers);
    let mut answered = 0;
    let end = loop {
        match answers.message().await {
            Ok(Some(_)) => answered += 1,
            Ok(None) => panic!("a clean end after {answered} of 10 answers"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), tonic::Code::Unauthenticated, "{end:?}");
    assert_eq!(answered, 0);
}

#[tokio::test]
async fn a_failed_request_of_a_batch_fails_no_other() {
    let served = Served::start().await;
    let keys = served.node.keys(200).await;
    let requests: Vec<_> =
        keys.iter().map(|key| VerifyRequest { api_key: key.api_key.clone(), ..Default::default() }).collect();
    let mut client = served.client.clone();
    let warm = BatchVerifyRequest { requests: requests[..100].to_vec() };
    client.batch_verify(warm).await.unwrap();
    served.node.store.set(Mode::Fails);
    let all = BatchVerifyRequest { requests };
    let results = client.batch_verify(all.clone()).await.unwrap().into_inner().results;
    assert_eq!(results.len(), 200);
    for (number, result) in results.into_iter().enumerate() {
        match result.result.unwrap() {
            verify_result::Result::Decision(decision) => {
                assert!(number < 100, "{number}");
                assert_eq!(decision.key, keys[number].name.to_string());
            }
            verify_result::Result::Error(error) => {
                assert!(number >= 100, "{number}");
                assert_eq!(error.status_code, tonic::Code::Unavailable as i32);
                assert_eq!(error.reason, "STORE_UNAVAILABLE");
                assert_ne!(error.message, "");
            }
        }
    }
    // One query for each, as many at a time as the limit on queries in flight allows.
    served.node.store.loads();
    served.node.store.set(Mode::Holds);
    let batch = tokio::spawn(async move { client.batch_verify(all).await.unwrap() });
    served.node.store.held(64).await;
    assert_eq!(served.node.store.loads(), 64);
    served.node.store.set(Mode::Answers);
    let results = batch.await.unwrap().into_inner().results;
    for (number, result) in results.into_iter().enumerate() {
        let Some(verify_result::Result::Decision(decision)) = result.result else {
            panic!("{number} failed");
        };
        assert_eq!(decision.key, keys[number].name.to_string());
    }
    assert_eq!(served.node.store.loads(), 100 - 64);
}
