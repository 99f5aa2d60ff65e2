//! The outcome of changes whose callers give up, whose COMMIT gets no answer, or whose store fails right after the commit.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use domain::decision::Code;
use keystile::{
    grpc::{self, Health, Observer},
    ports::{ReadKeys, StoreError},
    telemetry::Metrics,
    verbs::{Call, Error, Repeatable},
};
use proto::{key_service_client::KeyServiceClient, project_service_client::ProjectServiceClient};
use testkit::{
    database::{Database, Kind},
    server::{Bearer, Client, channel},
};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code as Grpc, Request, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    faulty::Mode,
    gate::Commits,
    node::{Following, LIMITS, Node, PATIENCE, TestKey, call, fresh},
};

/// The admin side of a node on the wire.
struct Served {
    node: Node,
    channel: Channel,
    root: String,
    _database: Database,
}

impl Served {
    async fn start() -> Self {
        let (database, node) = Node::on_fresh_database(LIMITS).await;
        let root = node.service.mint_root_key().await.unwrap().api_key.expose().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel = channel(listener.local_addr().unwrap());
        let (service, verifier, health) = (node.service.clone(), node.verifier.clone(), Health::new().await);
        let observer = Arc::new(Observer::new(&Metrics::new().meter(), node.clock.clone(), None));
        tokio::spawn(async move {
            let forever = CancellationToken::new();
            grpc::serve_admin(listener, service, verifier, &health, observer, forever).await.unwrap();
        });
        Self { node, channel, root, _database: database }
    }

    fn keys(&self) -> KeyServiceClient<Client> {
        KeyServiceClient::with_interceptor(self.channel.clone(), Bearer::new(&self.root))
    }

    fn projects(&self) -> ProjectServiceClient<Client> {
        ProjectServiceClient::with_interceptor(self.channel.clone(), Bearer::new(&self.root))
    }

    /// A key that this node has cached as valid.
    async fn warm_key(&self) -> TestKey {
        warm_key(&self.node).await
    }
}

async fn warm_key(node: &Node) -> TestKey {
    let key = node.key("acme").await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    key
}

fn creation(request_id: &str) -> proto::CreateKeyRequest {
    proto::CreateKeyRequest {
        parent: "projects/acme".into(),
        key: Some(proto::Key { environment: "production".into(), ..Default::default() }),
        request_id: request_id.into(),
        ..Default::default()
    }
}

fn revocation(key: &TestKey, request_id: &str) -> proto::RevokeKeyRequest {
    proto::RevokeKeyRequest {
        name: key.name.to_string(),
        request_id: request_id.into(),
        ..Default::default()
    }
}

/// The only copy of an API key must not be lost because a name in the same response cannot be read.
#[tokio::test]
async fn an_api_key_is_returned_though_the_database_fails_right_after_the_commit() {
    let served = Served::start().await;
    let (node, mut keys) = (&served.node, served.keys());
    let old = served.warm_key().await;

    node.store.gate.set(Commits::ThenDown);
    let created = keys.create_key(creation("")).await.unwrap().into_inner();
    node.store.gate.set(Commits::ThenDown);
    let rotation = proto::RotateKeyRequest { name: old.name.to_string(), ..Default::default() };
    let rotated = keys.rotate_key(rotation).await.unwrap().into_inner();
    node.store.gate.set(Commits::ThenDown);
    let project = proto::CreateProjectRequest {
        project_id: "beta".into(),
        project: Some(proto::Project { prefix: "beta".into(), ..Default::default() }),
        ..Default::default()
    };
    let born = served.projects().create_project(project).await.unwrap().into_inner();

    node.store.gate.set(Commits::Answered);
    for (key, api_key) in
        [(created.key, created.api_key), (rotated.key, rotated.api_key), (born.system_key, born.api_key)]
    {
        assert_eq!(node.code(&api_key).await, Code::Valid);
        let key = key.unwrap();
        let get = proto::GetKeyRequest { name: key.name.clone() };
        let got = keys.get_key(get).await.unwrap().into_inner().key.unwrap();
        assert_eq!(got, key, "the stored key equals the response, including creator and revision");
    }
}

/// Drops `future` once it has been polled `polls` times and is still pending.
async fn dropped_after<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(Some(future));
    let mut left = polls;
    poll_fn(move |context| {
        let polled =
            future.as_mut().as_pin_mut().expect("a dropped future is not polled again").poll(context);
        left -= 1;
        if polled.is_pending() && left == 0 {
            future.set(None);
            return Poll::Ready(None);
        }
        polled.map(Some)
    })
    .await
}

/// At every moment at which a call can be dropped, it leaves a change that is made and known, or none.
#[tokio::test]
async fn a_call_that_is_dropped_leaves_a_change_that_is_known_or_none() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        // Neither of the two connections may stay in a transaction.
        let node = Node::with(&database, 2, LIMITS).await;
        node.create_project("acme").await;
        for polls in 1..=12 {
            let key = warm_key(&node).await;
            let (call, name) = (call(), key.name.clone());
            let answer = dropped_after(node.service.disable_key(&call, &name, ""), polls).await;
            timeout(PATIENCE, node.service.settled()).await.unwrap();
            let stored = node.store.key(&key.name.project, key.name.key).await.unwrap().unwrap();
            let expected = if stored.disable_time.is_some() { Code::Disabled } else { Code::Valid };
            assert_eq!(node.code(&key.api_key).await, expected, "{kind:?}: dropped after {polls} polls");
            if let Some(answer) = answer {
                assert_eq!(answer.unwrap().key.disable_time, stored.disable_time);
            }
        }
    }
}

#[tokio::test]
async fn a_deadline_between_commit_and_answer_leaves_the_change_known() {
    let served = Served::start().await;
    let (node, mut keys) = (&served.node, served.keys());
    let key = served.warm_key().await;
    let before = node.store.gate.made();
    node.store.gate.set(Commits::Held);
    let mut request = Request::new(revocation(&key, ""));
    request.set_timeout(Duration::from_millis(100));
    keys.revoke_key(request).await.unwrap_err();
    node.store.gate.made_reach(before + 1).await;
    node.store.gate.set(Commits::Answered);
    timeout(PATIENCE, node.service.settled()).await.unwrap();
    assert_eq!(node.code(&key.api_key).await, Code::Revoked);
}

/// What a stop waits for.
#[tokio::test]
async fn changes_are_settled_once_they_are_made_and_known() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = warm_key(&node).await;
    let before = node.store.gate.made();
    node.store.gate.set(Commits::Held);
    let call = tokio::spawn({
        let (service, name) = (node.service.clone(), key.name.clone());
        async move { service.disable_key(&call(), &name, "").await }
    });
    node.store.gate.made_reach(before + 1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let mut settled = pin!(node.service.settled());
    assert!(dropped_after(settled.as_mut(), 1).await.is_none(), "one is under way");
    node.store.gate.set(Commits::Answered);
    timeout(PATIENCE, settled).await.unwrap();
    assert_eq!(node.code(&key.api_key).await, Code::Disabled);
}

#[tokio::test]
async fn a_panic_in_a_change_is_answered_with_an_error() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = warm_key(&node).await;
    node.store.gate.set(Commits::Panic);
    let disabled = timeout(PATIENCE, node.service.disable_key(&call(), &key.name, "")).await.unwrap();
    assert!(matches!(disabled, Err(Error::Store(StoreError::Broken(_)))), "{disabled:?}");
    node.store.gate.set(Commits::Answered);
    node.service.disable_key(&call(), &key.name, "").await.unwrap();
}

#[track_caller]
fn assert_unknown(status: &Status, resource: &str, retry: bool) {
    assert_eq!(status.code(), Grpc::Unknown, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "OUTCOME_UNKNOWN");
    assert_eq!(info.metadata.get("resource").map(String::as_str), Some(resource));
    assert_eq!(status.get_details_retry_info().is_some(), retry, "{status:?}");
}

#[tokio::test]
async fn an_unknown_outcome_says_so_and_a_repeat_finds_it() {
    let served = Served::start().await;
    let (node, mut keys) = (&served.node, served.keys());
    for (commits, request_id) in
        [(Commits::Unknown, ""), (Commits::Unknown, "made"), (Commits::Lost, ""), (Commits::Lost, "lost")]
    {
        let key = served.warm_key().await;
        let name = key.name.to_string();
        node.store.gate.set(commits);
        let status = keys.revoke_key(revocation(&key, request_id)).await.unwrap_err();
        assert_unknown(&status, &name, !request_id.is_empty());
        node.store.gate.set(Commits::Answered);
        // The node has read the head from the database, so none of its verifications decides from an older state.
        let (now, made) = match commits {
            Commits::Unknown => (Code::Revoked, 0),
            _ => (Code::Valid, 1),
        };
        assert_eq!(node.code(&key.api_key).await, now, "{commits:?}");
        if !request_id.is_empty() {
            let before = node.store.gate.made();
            let repeated = keys.revoke_key(revocation(&key, request_id)).await.unwrap().into_inner();
            assert_eq!(repeated.key.unwrap().state(), proto::key::State::Revoked);
            assert_eq!(node.store.gate.made(), before + made, "{commits:?}");
            assert_eq!(node.code(&key.api_key).await, Code::Revoked);
        }
    }
}

/// The error names the resource even if the server chose its id.
#[tokio::test]
async fn a_creation_with_unknown_outcome_names_the_resource() {
    let served = Served::start().await;
    let mut keys = served.keys();
    served.node.store.gate.set(Commits::Unknown);
    let status = keys.create_key(creation("")).await.unwrap_err();
    served.node.store.gate.set(Commits::Answered);
    let name = status.get_details_error_info().unwrap().metadata["resource"].clone();
    assert_unknown(&status, &name, false);
    let got = keys.get_key(proto::GetKeyRequest { name: name.clone() }).await.unwrap();
    assert_eq!(got.into_inner().key.unwrap().name, name);
}

/// Once a node has answered a repeat, no verification on that node decides from before the change.
#[tokio::test]
async fn a_repeat_at_another_node_makes_the_change_known_there() {
    let database = fresh(Kind::Sqlite).await;
    let here = Node::on(&database, LIMITS).await;
    here.create_project("acme").await;
    let there = Node::on(&database, LIMITS).await;
    let key = warm_key(&here).await;
    assert_eq!(there.code(&key.api_key).await, Code::Valid);
    let repeatable = Repeatable { request_id: "once".into(), fingerprint: [1; 32] };
    let call = Call { repeatable: Some(repeatable), ..call() };
    let reason = "".parse().unwrap();
    let first = here.service.revoke_key(&call, &key.name, "", &reason).await.unwrap();
    assert_eq!(there.code(&key.api_key).await, Code::Valid, "the node has not followed the change");
    let repeat = there.service.revoke_key(&call, &key.name, "", &reason).await.unwrap();
    assert_eq!(repeat.key.revision, first.key.revision);
    assert_eq!(there.code(&key.api_key).await, Code::Revoked);
}

/// The head cannot be read, so the log has to show whether the change was made: the node does not wait for its next poll.
#[tokio::test]
async fn a_change_of_unknown_outcome_has_the_log_polled() {
    let database = fresh(Kind::Sqlite).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    elsewhere.create_project("acme").await;
    let key = elsewhere.key("acme").await;
    let node = Node::on(&database, LIMITS).await;
    let _following = Following::unprompted(&node).await;
    let before = node.store.follows();
    node.store.set(Mode::Fails);
    node.store.gate.set(Commits::Unknown);
    node.service.disable_key(&call(), &key.name, "").await.unwrap_err();
    timeout(PATIENCE, node.store.follows_reach(before + 1)).await.expect("the log is not polled");
}
