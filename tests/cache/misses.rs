//! What a verification costs the database: nothing if its key is cached, else one query.

use std::{sync::Arc, time::Duration};

use domain::{decision::Code, id::KeyId, time::Timestamp, token::ApiKey};
use keystile::verbs::NewKey;
use testkit::forge::{damaged, forged, sealed, with_wrong_secret};
use tokio::task::JoinSet;

use crate::{
    faulty::Mode,
    node::{LIMITS, Node, PATIENCE, new_key},
};

/// The API key, as if it were that of the key `id`.
pub(crate) fn with_id(api_key: &str, id: KeyId) -> String {
    let own = &api_key["acme_live_".len()..][..22];
    forged(api_key, own, &id.to_string())
}

pub(crate) fn unknown_id(number: u64) -> KeyId {
    let mut random = [0xee; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    KeyId::new(Timestamp::from_micros(1_700_000_000_000_000), random)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_of_one_key_are_one_query() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let node = Arc::new(node);
    node.store.set(Mode::Holds);
    node.statements();
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let (node, api_key) = (node.clone(), key.api_key.clone());
        tasks.spawn(async move { node.code(&api_key).await });
    }
    node.store.held(1).await;
    node.store.set(Mode::Answers);
    let codes = tasks.join_all().await;
    assert_eq!(codes, vec![Code::Valid; 1000]);
    assert_eq!(node.statements(), 1);
}

#[tokio::test]
async fn a_cold_key_is_one_query_and_a_warm_one_none() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = node.keys(20).await;
    node.statements();
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
        assert_eq!(node.statements(), 1, "key {number}");
    }
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
        assert_eq!(node.code(&with_wrong_secret(&key.api_key)).await, Code::NotFound);
    }
    assert_eq!(node.statements(), 0);
}

/// The mark matches only if the API key is the same to the last character.
#[tokio::test]
async fn a_proven_api_key_proves_no_similar_one() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let api_key = node.key("acme").await.api_key;
    for _ in 0..3 {
        assert_eq!(node.code(&api_key).await, Code::Valid);
    }
    for at in 0..api_key.len() {
        assert_eq!(node.code(&damaged(&api_key, at)).await, Code::Malformed, "{at}");
    }
    let body = &api_key["acme_live".len()..api_key.len() - 6];
    for head in ["acme_test", "acmf_live", "a_live", "acme_lives"] {
        assert_eq!(node.code(&sealed(format!("{head}{body}"))).await, Code::NotFound, "{head}");
    }
    assert_eq!(node.code(&with_wrong_secret(&api_key)).await, Code::NotFound);
    assert_eq!(node.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn after_its_time_to_live_a_key_is_read_again() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let unknown = with_id(&key.api_key, unknown_id(1));
    for _ in 0..2 {
        node.statements();
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
        assert_eq!(node.code(&unknown).await, Code::NotFound);
        assert_eq!(node.statements(), 2);
        node.clock.advance(LIMITS.time_to_live);
        node.cache.catch_up().await.unwrap();
        node.statements();
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
        assert_eq!(node.code(&unknown).await, Code::NotFound);
        assert_eq!(node.statements(), 0);
        node.clock.advance(Duration::from_micros(1));
        // The time to live passes only while the log is followed.
        node.cache.catch_up().await.unwrap();
    }
}

#[tokio::test]
async fn a_malformed_api_key_is_no_query() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let api_key = node.key("acme").await.api_key;
    node.statements();
    for at in 0..api_key.len() {
        assert_eq!(node.code(&damaged(&api_key, at)).await, Code::Malformed);
    }
    for text in ["", " ", "acme_live_", "Bearer x", &sealed(format!("acme_live_{}", "z".repeat(66)))] {
        assert_eq!(node.code(text).await, Code::Malformed);
    }
    assert_eq!(node.statements(), 0);
}

#[tokio::test]
async fn an_api_key_with_a_wrong_checksum_is_no_query() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let api_key = node.key("acme").await.api_key;
    node.statements();
    let damaged = damaged(&api_key, api_key.len() - 1);
    let session = node.verifier.authenticate(ApiKey::new(damaged), None).await.unwrap();
    assert!(session.is_none());
    assert_eq!(node.statements(), 0);
}

#[tokio::test]
async fn an_unknown_id_is_one_query_and_then_none() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let api_key = node.key("acme").await.api_key;
    node.statements();
    for number in 0..10 {
        let unknown = with_id(&api_key, unknown_id(number));
        for queries in [1, 0, 0] {
            assert_eq!(node.code(&unknown).await, Code::NotFound);
            assert_eq!(node.statements(), queries);
        }
    }
}

/// An id that is cached as unknown is no longer so once a key is created with it.
#[tokio::test]
async fn an_unknown_id_that_becomes_a_key_verifies_at_once() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let other = node.key("acme").await.api_key;
    let id = unknown_id(7);
    assert_eq!(node.code(&with_id(&other, id)).await, Code::NotFound);
    let key = node.try_key(NewKey { id: Some(id), ..new_key("acme") }).await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
}

/// A caller that gives up does not cancel the query on which others wait.
#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_query_to_the_others() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let node = Arc::new(node);
    node.store.set(Mode::Hangs);
    let ask = || {
        let (node, api_key) = (node.clone(), key.api_key.clone());
        tokio::spawn(async move { node.code(&api_key).await })
    };
    node.store.loads();
    let first = ask();
    while node.store.loads() == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..10).map(|_| ask()).collect();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    first.abort();
    node.store.set(Mode::Answers);
    for other in others {
        let code = tokio::time::timeout(PATIENCE, other).await.unwrap().unwrap();
        assert_eq!(code, Code::Valid);
    }
    assert_eq!(node.store.loads(), 1, "another caller repeats the read");
}

/// A failure is returned to all callers that wait for the query, and is not cached.
#[tokio::test]
async fn a_failed_query_is_retried_by_the_next_call() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    node.store.set(Mode::Fails);
    node.verify(&key.api_key).await.unwrap_err();
    node.verify(&key.api_key).await.unwrap_err();
    node.store.set(Mode::Answers);
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    assert_eq!(node.store.loads(), 3);
}
