//! A follower that is behind: it reads what changed, or forgets everything when that is cheaper.

use std::{sync::Arc, time::Duration};

use domain::{access::Projects, decision::Code};
use keystile::{
    cache::Follower,
    ports::{Changes, ReadLog, Readiness},
    verbs::{Error, VerifyRequest},
};
use testkit::database::{Database, Kind};
use tokio::time::{sleep, timeout};

use crate::{
    faulty::Mode,
    node::{Following, LIMITS, Node, PATIENCE, fresh, question},
};

/// Lets the log grow by `number` changes of something that verifies nothing.
pub(crate) async fn grow(database: &Database, number: u64) {
    let columns =
        "time, project_id, actor_account, actor_key, action, request_id, peer, before_json, after_json";
    // Any hash will do, as long as each event names that of the one before.
    let hash = "CAST(printf('%032d', n) AS BLOB)";
    let previous =
        "CASE n WHEN 1 THEN (SELECT hash FROM change_head) ELSE CAST(printf('%032d', n - 1) AS BLOB) END";
    database
        .execute(&format!(
            "INSERT INTO audit_events (revision, target, previous_hash, hash, {columns}) \
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number}) \
             SELECT (SELECT revision FROM change_head) + n, 'projects/other/keys/' || n, {previous}, {hash}, \
             {columns} FROM numbers, audit_events WHERE revision = 1; \
             UPDATE change_head SET revision = revision + {number}, \
             hash = (SELECT hash FROM audit_events ORDER BY revision DESC LIMIT 1)"
        ))
        .await;
}

#[tokio::test]
async fn changes_are_read_in_portions() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = node.keys(20).await;
    for key in &keys {
        node.code(&key.api_key).await;
    }
    node.cache.catch_up().await.unwrap();
    let (position, follows) = (node.cache.position(), node.store.follows());
    grow(&database, 9_900).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.position(), position + 9_900);
    assert_eq!(
        node.store.follows(),
        follows + 10,
        "the last of ten portions is short, so nothing is after it"
    );
    node.store.loads();
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
    }
    assert_eq!(node.store.loads(), 0, "they were not touched");
}

/// The time limit is for each query. However many there are, the database counts as reachable while each is answered in time.
#[tokio::test]
async fn catching_up_may_take_longer_than_the_limit_for_one_query() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let mut keys = node.keys(50).await.into_iter();
    let following = Following::start(&node).await;
    grow(&database, 5_500).await;
    let end = node.cache.position() + 5_500;
    // Six portions together take longer than the limit for one.
    node.store.answers_changes_after(Duration::from_millis(300));
    following.poll_times(1).await;
    let caught_up = async {
        while node.cache.position() < end {
            if let Some(key) = keys.next() {
                assert_eq!(node.code(&key.api_key).await, Code::Valid);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, caught_up).await.unwrap();
    drop(following);
}

#[tokio::test]
async fn a_follower_too_far_behind_declares_everything_changed() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = node.keys(20).await;
    for key in &keys {
        node.code(&key.api_key).await;
    }
    node.cache.catch_up().await.unwrap();
    let (position, follows) = (node.cache.position(), node.store.follows());
    grow(&database, 10_002).await;
    // One of them changes our key: it must not be lost among the others.
    let elsewhere = Node::on(&database, LIMITS).await;
    let revision = elsewhere.revoke(&keys[3]).await;
    node.store.heads();
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.position(), position + 10_003);
    assert_eq!(node.cache.position(), revision);
    assert_eq!(node.store.follows(), follows + 2, "one portion shows how far behind it is");
    assert_eq!(node.store.heads(), 1);
    node.store.loads();
    for (number, key) in keys.iter().enumerate() {
        let code = if number == 3 { Code::Revoked } else { Code::Valid };
        for loads in [1, 0] {
            assert_eq!(node.code(&key.api_key).await, code);
            assert_eq!(node.store.loads(), loads, "key {number}");
        }
    }
}

/// A verification with `min_revision` polls the log; it does not wait for a notification.
#[tokio::test]
async fn a_verification_with_min_revision_polls_the_log_at_once() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let elsewhere = Node::on(&database, LIMITS).await;
    let revision = elsewhere.revoke(&key).await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid, "the node has not followed the change");
    let decision = timeout(PATIENCE, node.verify_at(&key.api_key, revision)).await.unwrap().unwrap();
    assert_eq!(decision.code, Code::Revoked);
    assert!(decision.revision >= revision);
    drop(following);
}

/// Its own change moves its position at once, for those who watch the log.
#[tokio::test]
async fn after_a_change_of_its_own_it_looks_at_once() {
    let database = fresh(Kind::Sqlite).await;
    let node = Node::on(&database, LIMITS).await;
    let _following = Following::unprompted(&node).await;
    let before = node.cache.position();
    node.create_project("acme").await;
    timeout(PATIENCE, node.cache.beyond(before)).await.expect("it waits for its next poll");
}

/// A change of its own that comes while the log is read cannot be in what is read.
#[tokio::test]
async fn a_change_that_comes_while_the_log_is_read_is_no_rewind() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.store.hold_changes(true);
    let change = async {
        node.store.reads_changes().await;
        node.create_project("other").await;
        node.store.hold_changes(false);
    };
    let ((), polled) = tokio::join!(change, node.cache.catch_up());
    polled.unwrap();
    assert_eq!(node.cache.rewinds().number, 0);
}

#[tokio::test]
async fn a_min_revision_that_is_reached_polls_nothing() {
    let (database, elsewhere) = Node::on_fresh_database(LIMITS).await;
    let key = elsewhere.key("acme").await;
    // It has made no change, after which it would poll.
    let node = Node::on(&database, LIMITS).await;
    let _following = Following::unprompted(&node).await;
    let (follows, position) = (node.store.follows(), node.cache.position());
    assert_eq!(node.verify_at(&key.api_key, position).await.unwrap().code, Code::Valid);
    assert_eq!(node.store.follows(), follows);
}

/// A verification does not wait for a revision beyond the end of the log: one poll shows that it does not exist.
#[tokio::test]
async fn a_min_revision_beyond_the_end_of_the_log_fails_at_once() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    let head = node.cache.position();
    for min_revision in [head + 1, i64::MAX] {
        let question = VerifyRequest { patience: 4 * PATIENCE, ..question(&key.api_key, min_revision) };
        let answer =
            timeout(PATIENCE, node.verifier.verify(&Projects::All, question)).await.expect("the call waits");
        let Err(Error::RevisionNotReached { min_revision: asked, revision }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((asked, revision), (min_revision, head));
    }
    drop(following);
}

/// While the log cannot be read, the revision may exist.
#[tokio::test]
async fn while_the_log_cannot_be_read_a_verification_waits_for_min_revision() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    following.poll_times(1).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    let revision = elsewhere.revoke(&key).await;
    let node = Arc::new(node);
    let asked = tokio::spawn({
        let (node, api_key) = (node.clone(), key.api_key.clone());
        async move { node.verify_at(&api_key, revision).await.unwrap().code }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished());
    node.store.set(Mode::Answers);
    assert_eq!(timeout(PATIENCE, asked).await.unwrap().unwrap(), Code::Revoked);
}

/// If no notification arrives, the follower polls at its interval.
#[tokio::test]
async fn without_notifications_the_follower_polls() {
    let (database, node) = Node::on_fresh_database(LIMITS).await;
    let key = node.key("acme").await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let elsewhere = Node::on(&database, LIMITS).await;
    let silence = elsewhere_silence(&database).await;
    let often = Duration::from_millis(10);
    let follower = Follower::new(node.cache.clone(), silence, often);
    let task = tokio::spawn(follower.run(std::future::pending()));
    let revision = elsewhere.revoke(&key).await;
    timeout(PATIENCE, node.cache.beyond(revision - 1)).await.unwrap();
    assert_eq!(node.code(&key.api_key).await, Code::Revoked);
    task.abort();
}

async fn elsewhere_silence(database: &Database) -> Box<dyn keystile::ports::feed::Wakeups> {
    // SQLite sends no notifications to other processes.
    let store = Arc::new(database.open().await);
    store.ping().await.unwrap();
    store.wakeups()
}

/// A node reads where the log ends, then what is there; the first change of all may come between the two.
#[tokio::test]
async fn a_first_change_while_a_node_starts_is_no_rewind() {
    let database = fresh(Kind::Sqlite).await;
    let first = Node::on(&database, LIMITS).await;
    let revision = first.store.head().await.unwrap().revision;
    let none = "UPDATE change_head SET revision = 0, hash = zeroblob(32)";
    database.execute(&format!("CREATE TABLE later AS SELECT * FROM change_head; {none}")).await;
    let node = Node::on(&database, LIMITS).await;
    let later = "UPDATE change_head SET (revision, hash) = (SELECT revision, hash FROM later)";
    database.execute(later).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!((node.cache.position(), node.cache.rewinds().number), (revision, 0));
}
