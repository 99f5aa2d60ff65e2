//! Reads of roles: however many keys need one after a change, they take few queries, and leave connections to others.

use std::sync::Arc;

use domain::decision::Code;
use keystile::{
    cache::Limits,
    ports::{Credentials, StoreError},
    verbs::{Decision, Error, NewKey},
};
use testkit::database::Database;
use tokio::{
    task::{JoinHandle, yield_now},
    time::timeout,
};

use crate::{
    faulty::Mode,
    node::{Following, LIMITS, Node, PATIENCE, TestKey, new_key},
};

const ONE_QUERY: Limits = Limits { reads: 1, ..LIMITS };

/// Keys that are cached, each with a role of its own, none of which is current.
async fn keys_with_roles(limits: Limits, number: usize) -> (Database, Arc<Node>, Vec<TestKey>) {
    let (database, node) = Node::on_fresh_database(limits).await;
    let mut keys = Vec::new();
    for number in 0..number {
        let id = format!("role-{number}");
        node.create_role_of(&id, "documents.write").await;
        let roles = vec![id.parse().unwrap()];
        keys.push(node.try_key(NewKey { roles, ..new_key("acme") }).await);
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(node.permits(key, "documents.write").await, Code::Valid);
        node.grant_to(&format!("role-{number}"), "documents.read").await;
    }
    node.catch_up().await;
    (database, Arc::new(node), keys)
}

fn verify(node: &Arc<Node>, key: &TestKey) -> JoinHandle<Result<Decision, Error>> {
    let (node, api_key) = (node.clone(), key.api_key.clone());
    tokio::spawn(async move { node.verify(&api_key).await })
}

/// Runs every task until it waits.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn reads_of_roles_and_of_keys_share_the_bound_on_queries() {
    let (_database, node, keys) = keys_with_roles(ONE_QUERY, 10).await;
    let cold = node.key("acme").await;
    node.catch_up().await;
    node.store.set(Mode::Holds);
    let first = verify(&node, &keys[0]);
    node.store.held(1).await;
    let others: Vec<_> = keys[1..].iter().chain([&cold]).map(|key| verify(&node, key)).collect();
    settle().await;
    assert_eq!((node.store.role_loads(), node.store.loads()), (1, 0));
    node.store.set(Mode::Answers);
    for answer in others.into_iter().chain([first]) {
        let answer = timeout(PATIENCE, answer).await.expect("it is never answered").unwrap();
        assert_eq!(answer.unwrap().code, Code::Valid);
    }
    assert_eq!((node.store.role_loads(), node.store.loads()), (9, 1));
}

/// They hold the same role, and each has a permission of its own.
#[tokio::test]
async fn keys_that_hold_the_same_roles_share_a_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let mut keys = Vec::new();
    for number in 0..20 {
        let permissions = vec![format!("own.p{number}").parse().unwrap()];
        let roles = vec!["editor".parse().unwrap()];
        keys.push(node.try_key(NewKey { roles, permissions, ..new_key("acme") }).await);
    }
    node.catch_up().await;
    let node = Arc::new(node);
    node.store.set(Mode::Holds);
    let answers: Vec<_> = keys.iter().map(|key| verify(&node, key)).collect();
    // Their keys, in one query.
    node.store.held(20).await;
    node.store.set(Mode::Answers);
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap().code, Code::Valid);
    }
    assert_eq!(node.store.role_loads(), 1);
}

/// What they may do is in memory once for all of them.
#[tokio::test]
async fn keys_that_may_do_the_same_share_it() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    // Every other one has a permission of its own.
    let keys = node.holders(4).await;
    let mut accesses = Vec::new();
    for key in &keys {
        let snapshot = node.cache.read(key.name.key).await.unwrap();
        accesses.push(snapshot.access.get().unwrap().clone());
    }
    let same = |one: usize, other: usize| Arc::ptr_eq(&accesses[one], &accesses[other]);
    assert!(same(0, 2) && same(1, 3) && !same(0, 1));
}

/// Callers that give up cannot start more queries than there may be.
#[tokio::test]
async fn a_caller_that_gives_up_leaves_its_query_under_way() {
    let (_database, node, keys) = keys_with_roles(ONE_QUERY, 2).await;
    node.store.set(Mode::Holds);
    let first = verify(&node, &keys[0]);
    node.store.held(1).await;
    assert_eq!(node.store.role_loads(), 1);
    first.abort();
    first.await.unwrap_err();
    let second = verify(&node, &keys[1]);
    settle().await;
    assert_eq!(node.store.role_loads(), 0, "the first query was given up");
    node.store.set(Mode::Answers);
    let second = timeout(PATIENCE, second).await.expect("it waits for ever").unwrap();
    assert_eq!(second.unwrap().code, Code::Valid);
}

#[tokio::test]
async fn waiting_reads_fail_when_the_database_is_down() {
    let (_database, node, keys) = keys_with_roles(ONE_QUERY, 5).await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    node.store.role_loads();
    let first = verify(&node, &keys[0]);
    while node.store.role_loads() == 0 {
        yield_now().await;
    }
    let others: Vec<_> = keys[1..].iter().map(|key| verify(&node, key)).collect();
    following.poll_times(2).await;
    for other in others {
        let answer = timeout(PATIENCE, other).await.expect("it waits for a database that is down").unwrap();
        assert!(matches!(answer, Err(Error::Store(StoreError::Unavailable(_)))), "{answer:?}");
    }
    assert_eq!(node.store.role_loads(), 0);
    node.store.set(Mode::Answers);
    assert_eq!(first.await.unwrap().unwrap().code, Code::Valid);
}
