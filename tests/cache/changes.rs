//! Changes: once a change is answered, the next verification sees it, even if a load was in flight.

use std::{sync::Arc, time::Duration};

use domain::decision::Code;
use keystile::{
    ports::{Changes, changes::Rewinds},
    verbs::Call,
};
use testkit::database::Kind;

use crate::{
    faulty::Mode,
    node::{LIMITS, Node, TestKey, call, fresh},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Revoke,
    Rotate,
    Disable,
    Enable,
    Delete,
    Undelete,
    Purge,
    DisableOwner,
    EnableOwner,
    DeleteOwner,
    DeleteProject,
}
use Change::{
    Delete, DeleteOwner, DeleteProject, Disable, DisableOwner, Enable, EnableOwner, Purge, Revoke, Rotate,
    Undelete,
};

/// Changes one after the other, each with what the API key verifies as from then on.
const LIVES: &[&[(Change, Code)]] = &[
    &[(Revoke, Code::Revoked)],
    &[(Rotate, Code::NotFound)],
    &[(Disable, Code::Disabled), (Enable, Code::Valid), (Disable, Code::Disabled), (Revoke, Code::Revoked)],
    &[(Delete, Code::NotFound), (Undelete, Code::Valid), (Delete, Code::NotFound)],
    &[(Purge, Code::NotFound)],
    &[(DisableOwner, Code::OwnerDisabled), (EnableOwner, Code::Valid), (DisableOwner, Code::OwnerDisabled)],
    &[(DisableOwner, Code::OwnerDisabled), (Disable, Code::Disabled), (EnableOwner, Code::Disabled)],
    &[(DeleteOwner, Code::NotFound)],
    &[(DeleteProject, Code::NotFound)],
];

impl Node {
    /// Makes the change, and answers with its revision.
    async fn change(&self, change: Change, key: &TestKey) -> i64 {
        let (service, call, name, account) = (&self.service, &call(), &key.name, &key.account);
        let revision = |view: keystile::verbs::KeyView| view.key.revision;
        match change {
            Revoke => self.revoke(key).await,
            Rotate => {
                let rotated = service.rotate_key(call, name, "", Duration::ZERO).await;
                rotated.unwrap().key.key.revision
            }
            Disable => service.disable_key(call, name, "").await.map(revision).unwrap(),
            Enable => service.enable_key(call, name, "").await.map(revision).unwrap(),
            Delete => service.delete_key(call, name, "").await.map(revision).unwrap(),
            Undelete => service.undelete_key(call, name, "").await.map(revision).unwrap(),
            Purge => service.purge_key(call, name, "").await.map(|_| 0).unwrap(),
            DisableOwner => {
                service.disable_service_account(call, account, "").await.unwrap().account.revision
            }
            EnableOwner => service.enable_service_account(call, account, "").await.unwrap().account.revision,
            DeleteOwner => {
                service.delete_service_account(call, account, "", true).await.unwrap();
                0
            }
            DeleteProject => {
                service.delete_project(call, &name.project, "", true).await.unwrap();
                0
            }
        }
    }
}

#[tokio::test]
async fn the_next_verification_sees_what_was_answered() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    for (number, life) in LIVES.iter().enumerate() {
        let project = format!("project-{number}");
        node.create_project(&project).await;
        let key = node.key(&project).await;
        let bystander = node.key("acme").await;
        for api_key in [&key.api_key, &bystander.api_key] {
            assert_eq!(node.code(api_key).await, Code::Valid);
        }
        for (change, code) in *life {
            let revision = node.change(*change, &key).await;
            let decision = node.verify(&key.api_key).await.unwrap();
            assert_eq!(decision.code, *code, "{change:?} in {life:?}");
            assert!(decision.revision >= revision, "{change:?}: {} of {revision}", decision.revision);
            assert_eq!(node.code(&key.api_key).await, *code, "{change:?} in {life:?}, cached");
        }
        assert_eq!(node.code(&bystander.api_key).await, Code::Valid);
    }
}

/// A load reads the old state and answers late; a verification that starts after the change must not use what it read.
#[tokio::test]
async fn a_load_in_flight_does_not_restore_the_old_state() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let node = Arc::new(node);
    for (number, life) in LIVES.iter().enumerate() {
        let project = format!("project-{number}");
        node.create_project(&project).await;
        let key = node.key(&project).await;
        let (change, code) = life[0];
        let ask = || {
            let (node, api_key) = (node.clone(), key.api_key.clone());
            tokio::spawn(async move { node.code(&api_key).await })
        };
        node.store.set(Mode::Holds);
        let before = ask();
        node.store.held(number + 1).await;
        node.change(change, &key).await;
        let after: Vec<_> = (0..10).map(|_| ask()).collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        node.store.loads();
        node.store.set(Mode::Answers);
        before.await.unwrap();
        for task in after {
            assert_eq!(task.await.unwrap(), code, "{change:?}");
        }
        assert_eq!(node.store.loads(), 1, "a load from before the change is repeated once");
        assert_eq!(node.code(&key.api_key).await, code, "{change:?}, cached");
    }
}

/// Once a node has applied the log, it answers as if the change had been made at it.
#[tokio::test]
async fn another_node_sees_what_it_has_applied() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let here = Node::on(&database, LIMITS).await;
        let there = Node::on(&database, LIMITS).await;
        for (number, life) in LIVES.iter().enumerate() {
            let project = format!("project-{number}");
            here.create_project(&project).await;
            let key = here.key(&project).await;
            there.cache.catch_up().await.unwrap();
            assert_eq!(there.code(&key.api_key).await, Code::Valid);
            for (change, code) in *life {
                here.change(*change, &key).await;
                there.store.loads();
                there.cache.catch_up().await.unwrap();
                assert_eq!(there.code(&key.api_key).await, *code, "{kind:?}: {change:?} in {life:?}");
                assert_eq!(there.store.loads(), 1, "{kind:?}: {change:?} in {life:?}");
            }
        }
    }
}

/// The key is read, then another key changes. A verification whose `min_revision` is that change may use the earlier read:
/// it is still current, and the response has the newer revision.
#[tokio::test]
async fn a_decision_is_never_older_than_min_revision() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let node = Arc::new(node);
    let (key, other) = (node.key("acme").await, node.key("acme").await);
    node.store.set(Mode::Holds);
    let first = tokio::spawn({
        let (node, api_key) = (node.clone(), key.api_key.clone());
        async move { node.code(&api_key).await }
    });
    node.store.held(1).await;
    let revision = node.revoke(&other).await;
    node.cache.catch_up().await.unwrap();
    let second = tokio::spawn({
        let (node, api_key) = (node.clone(), key.api_key.clone());
        async move { node.verify_at(&api_key, revision).await.unwrap() }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    node.store.set(Mode::Answers);
    assert_eq!(first.await.unwrap(), Code::Valid);
    let decision = second.await.unwrap();
    assert_eq!(decision.code, Code::Valid);
    assert!(decision.revision >= revision, "{} of {revision}", decision.revision);
}

/// Its revision is given to the next change, so that a node that believed it would see the log go backwards.
#[tokio::test]
async fn a_dry_run_is_not_made_known_to_the_cache() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let trial = Call { validate_only: true, ..call() };
    node.service.revoke_key(&trial, &key.name, "", &"".parse().unwrap()).await.unwrap();
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    node.revoke(&key).await;
    assert_eq!(node.code(&key.api_key).await, Code::Revoked);
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds(), Rewinds::default());
}
