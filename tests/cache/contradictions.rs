//! Reads of keys that find first that the change log went backwards.

use domain::decision::Code;
use keystile::{
    ports::{Changes, ReadLog, StoreError},
    verbs::Error,
};
use testkit::database::Kind;
use tokio::time::timeout;

use crate::{
    behind::grow,
    node::{Following, LIMITS, Node, PATIENCE},
    rewinds::{Lossy, rewind},
};

/// A read may be the first to find that the log went backwards: nothing from before is believed from then on.
#[tokio::test]
async fn a_read_that_contradicts_what_was_seen_ends_what_was_believed() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    rewind(&database, kept).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    elsewhere.revoke(&keys[0]).await;
    let cold = elsewhere.key("acme").await;
    assert_eq!(node.code(&keys[0].api_key).await, Code::Valid, "nothing shows it yet");
    assert_eq!(node.code(&cold.api_key).await, Code::Valid);
    assert_eq!(node.code(&keys[0].api_key).await, Code::Revoked);
    assert_eq!(node.cache.rewinds().number, 0, "the log was not polled");
}

/// The same for a read of roles, whose keys are cached.
#[tokio::test]
async fn a_read_of_a_role_that_contradicts_what_was_seen_ends_what_was_believed() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let (holder, key, filler) =
        (node.holders(1).await.remove(0), node.key("acme").await, node.key("acme").await);
    assert_eq!(node.permits(&holder, "documents.write").await, Code::Valid);
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let kept = node.store.head().await.unwrap().revision;
    node.grant("documents.share").await;
    node.idle(&filler, 5).await;
    node.catch_up().await;
    rewind(&database, kept).await;
    Node::on(&database, LIMITS).await.revoke(&key).await;
    assert_eq!(node.permits(&holder, "documents.share").await, Code::Valid);
    assert_eq!(node.code(&key.api_key).await, Code::Revoked);
}

#[tokio::test]
async fn a_read_that_contradicts_what_was_seen_has_the_log_polled() {
    let Lossy { database, keys, filler, kept, .. } = Lossy::on(Kind::Sqlite).await;
    let node = Node::on(&database, LIMITS).await;
    let _following = Following::unprompted(&node).await;
    rewind(&database, kept).await;
    // As many as were lost, so that the log ends with a revision that the node knows.
    Node::on(&database, LIMITS).await.idle(&filler, 5).await;
    let before = node.store.follows();
    assert_eq!(node.code(&keys[0].api_key).await, Code::Valid);
    timeout(PATIENCE, node.store.follows_reach(before + 1)).await.expect("the log is not polled");
}

/// The key's last change is lost, so that every read of it is from before what is known of it.
#[tokio::test]
async fn a_read_from_before_what_was_seen_has_the_log_polled() {
    let Lossy { database, node: elsewhere, filler, .. } = Lossy::on(Kind::Sqlite).await;
    let node = Node::on(&database, LIMITS).await;
    let _following = Following::unprompted(&node).await;
    let kept = node.cache.position();
    elsewhere.idle(&filler, 1).await;
    node.cache.catch_up().await.unwrap();
    rewind(&database, kept).await;
    let before = node.store.follows();
    let refused = node.verify(&filler.api_key).await;
    assert!(matches!(refused, Err(Error::Store(StoreError::Unavailable(_)))), "{refused:?}");
    timeout(PATIENCE, node.store.follows_reach(before + 1)).await.expect("the log is not polled");
}

/// What is read before it starts over may be from before the end of the log from which it is followed then.
#[tokio::test]
async fn a_change_before_it_starts_over_is_not_missed() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    rewind(&database, kept).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    let cold = elsewhere.key("acme").await;
    assert_eq!(node.code(&cold.api_key).await, Code::Valid);
    // So often that the thread has a copy of its own.
    for _ in 0..100 {
        assert_eq!(node.code(&keys[0].api_key).await, Code::Valid);
    }
    elsewhere.revoke(&keys[0]).await;
    elsewhere.key("acme").await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
    assert_eq!(node.code(&keys[0].api_key).await, Code::Revoked);
}

/// A poll was under way when this node found out that the log went backwards: what it read is from before.
#[tokio::test]
async fn no_decision_claims_what_was_read_before_the_rewind() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    // So much that the hash of the revision that is given again is forgotten.
    grow(&database, 2000).await;
    node.cache.catch_up().await.unwrap();
    node.store.hold_changes(true);
    let cache = node.cache.clone();
    let poll = tokio::spawn(async move { cache.catch_up().await });
    node.store.reads_changes().await;
    rewind(&database, kept).await;
    let revision = node.revoke(&keys[0]).await;
    node.store.hold_changes(false);
    poll.await.unwrap().unwrap();
    let decision = node.verify(&keys[0].api_key).await.unwrap();
    assert_eq!((decision.code, decision.revision), (Code::Revoked, revision));
}
