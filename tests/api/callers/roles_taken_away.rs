//! What a caller loses while it is connected: its next call knows it, and so do its open streams.

use std::time::Duration;

use proto::{
    Key, UpdateKeyRequest, WatchAuditEventsRequest, WatchAuditEventsResponse,
    watch_audit_events_response::Content,
};
use testkit::{
    rpc::call,
    server::{Server, Talk, channel},
    status::{metadata, reason},
};
use tonic::{Code, Status, Streaming};

use super::{HARMLESS, bearer};
use crate::calls::{Answer, revocation, texts, verify};

/// Far longer than an open stream may take to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// A caller on one connection, with a stream that has answered.
struct Connected {
    server: Server,
    key: Key,
    api_key: String,
    talk: Talk,
    /// Of a key of `acme`.
    asked: String,
}

impl Connected {
    async fn with(roles: &[&str], projects: &[&str]) -> Self {
        let server = Server::start().await;
        server.project("acme").await;
        server.project("shop").await;
        let (_, asked) = server.key("acme", Key::default()).await;
        let key = Key { roles: texts(roles), customers: texts(projects), ..Default::default() };
        let (key, api_key) = server.key("system", key).await;
        let mut talk = server.talk_as(&api_key).await.unwrap();
        assert_eq!(talk.code(&asked).await.unwrap(), proto::Code::Valid);
        Self { server, key, api_key, talk, asked }
    }

    /// Makes the caller's key hold only these from now on.
    async fn leave(&self, roles: &[&str], projects: &[&str]) {
        let key = Key {
            name: self.key.name.clone(),
            roles: texts(roles),
            customers: texts(projects),
            ..Default::default()
        };
        let paths = texts(&["roles", "customers"]);
        let update_mask = Some(prost_types::FieldMask { paths });
        let update = UpdateKeyRequest { key: Some(key), update_mask, ..Default::default() };
        self.server.update(update).await.unwrap();
    }

    async fn watch(&self, parent: &str) -> Streaming<WatchAuditEventsResponse> {
        let after_revision = self.server.caught_up().await;
        let request = WatchAuditEventsRequest { parent: parent.into(), after_revision, ..Default::default() };
        self.server.watch_as(&self.api_key, request).await.unwrap()
    }
}

/// The error that the watch ends with.
async fn end_of(watch: &mut Streaming<WatchAuditEventsResponse>) -> Status {
    let end = async {
        loop {
            if let Err(end) = watch.message().await {
                return end;
            }
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("it does not end")
}

#[track_caller]
fn assert_denied(status: &Status, permission: &str) {
    assert_eq!(reason(status, Code::PermissionDenied), "PERMISSION_DENIED");
    assert_eq!(metadata(status, "permission").as_deref(), Some(permission));
}

#[tokio::test]
async fn a_role_that_is_taken_away_ends_calls_and_streams() {
    let mut caller = Connected::with(&["verifier", "auditor"], &["*"]).await;
    let admin = channel(caller.server.admin);
    let list = || call(&admin, HARMLESS, bearer(&caller.api_key), &[]);
    assert!(list().await.is_ok());
    let mut watch = caller.watch("projects/-").await;
    let mut asking = caller.server.talk_as(&caller.api_key).await.unwrap();

    caller.leave(&["verifier"], &["*"]).await;
    assert_denied(&list().await.unwrap_err(), "projects.read");
    let end = end_of(&mut watch).await;
    assert_denied(&end, "audit.read");
    assert_eq!(caller.talk.code(&caller.asked).await.unwrap(), proto::Code::Valid, "it may still verify");

    caller.leave(&["auditor"], &["*"]).await;
    assert!(list().await.is_ok(), "it may again");
    assert_denied(&asking.ask(verify(&caller.asked)).await.unwrap_err(), "keys.verify");
    assert_denied(&caller.talk.ended_while_idle().await, "keys.verify");
    assert!(asking.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_project_that_is_taken_away_is_gone_for_calls_and_streams() {
    let mut caller = Connected::with(&["root"], &["acme", "shop"]).await;
    let mut acme = caller.watch("projects/acme").await;
    let mut all = caller.watch("projects/-").await;
    caller.leave(&["root"], &["shop"]).await;

    assert_eq!(caller.talk.code(&caller.asked).await.unwrap(), proto::Code::NotFound);
    let name = "projects/acme".to_owned();
    let mut projects = caller.server.projects_as(&caller.api_key);
    let got = projects.get_project(proto::GetProjectRequest { name }).await;
    assert_eq!(reason(&got.unwrap_err(), Code::NotFound), "NOT_FOUND");
    let end = end_of(&mut acme).await;
    assert_eq!(reason(&end, Code::NotFound), "NOT_FOUND");

    // Neither the change of its own key nor what happens in the lost project reaches the other watch.
    caller.server.key("acme", Key::default()).await;
    caller.server.key("shop", Key::default()).await;
    let event = loop {
        let message: Answer<_> = all.message().await;
        if let Content::Event(event) = message.unwrap().unwrap().content.unwrap() {
            break event;
        }
    };
    assert_eq!(event.project, "projects/shop");

    caller.leave(&["root"], &["shop", "acme"]).await;
    assert_eq!(caller.talk.code(&caller.asked).await.unwrap(), proto::Code::Valid, "it is given back");
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_all_of_them() {
    let mut caller = Connected::with(&["root"], &["*"]).await;
    let mut watch = caller.watch("projects/-").await;
    caller.server.revoke(revocation(&caller.key.name)).await.unwrap();
    let admin = channel(caller.server.admin);
    let listed = call(&admin, HARMLESS, bearer(&caller.api_key), &[]).await;
    let end = end_of(&mut watch).await;
    for end in [listed.unwrap_err(), end, caller.talk.ended_while_idle().await] {
        assert_eq!(reason(&end, Code::Unauthenticated), "UNAUTHENTICATED");
    }
}
