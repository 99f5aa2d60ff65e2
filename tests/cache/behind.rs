//! A follower that is behind: it reads what changed, or forgets everything when that is cheaper.

use std::{sync::Arc, time::Duration};

use domain::decision::Code;
use keystile::{
    cache::Follower,
    ports::{Changes, Readiness},
    verbs::{Error, VerifyRequest},
};
use testkit::database::{Database, Kind};
use tokio::time::{sleep, timeout};

use crate::{
    faulty::Mode,
    node::{Following, LIMITS, Node, PATIENCE, fresh, question},
};

/// Lets the log grow by `number` changes of something that verifies nothing.
async fn grow(database: &Database, number: u64) {
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
async fn what_changed_is_read_in_portions() {
    let (database, node) = Node::alone(LIMITS).await;
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
    // "other" is one project, which at worst shares a slot with ours.
    assert_eq!(node.store.loads(), 0, "they were not touched");
}

/// It goes on as long as each query is answered in time, however many there are, and the database counts as there.
#[tokio::test]
async fn to_catch_up_may_take_long() {
    let (database, node) = Node::alone(LIMITS).await;
    let mut keys = node.keys(50).await.into_iter();
    let following = Following::start(&node).await;
    grow(&database, 5_500).await;
    let end = node.cache.position() + 5_500;
    // Six portions together take longer than one may.
    node.store.answers_changes_after(Duration::from_millis(300));
    following.looks(1).await;
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
async fn too_far_behind_everything_is_forgotten_at_once() {
    let (database, node) = Node::alone(LIMITS).await;
    let keys = node.keys(20).await;
    for key in &keys {
        node.code(&key.api_key).await;
    }
    node.cache.catch_up().await.unwrap();
    let (position, follows) = (node.cache.position(), node.store.follows());
    grow(&database, 10_002).await;
    // Among so many, ours: it must not be lost with them.
    let elsewhere = Node::on(&database, LIMITS).await;
    let revision = elsewhere.revoke(&keys[3]).await;
    node.store.heads();
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.position(), position + 10_003);
    assert_eq!(node.cache.position(), revision);
    assert_eq!(node.store.follows(), follows + 2, "one portion tells how far behind it is");
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

/// Asked for a revision, it does not wait for a word from elsewhere.
#[tokio::test]
async fn asked_for_a_revision_it_looks_at_once() {
    let (database, node) = Node::alone(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid);
    let elsewhere = Node::on(&database, LIMITS).await;
    let revision = elsewhere.revoke(&key).await;
    assert_eq!(node.code(&key.api_key).await, Code::Valid, "nobody told it");
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
    let (_database, node) = Node::alone(LIMITS).await;
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

/// A revision that the log does not have is not waited for: one look shows that.
#[tokio::test]
async fn asked_for_a_revision_that_is_not_there_it_says_so_at_once() {
    let (_database, node) = Node::alone(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    let head = node.cache.position();
    for min_revision in [head + 1, i64::MAX] {
        let question = VerifyRequest { patience: 4 * PATIENCE, ..question(&key.api_key, min_revision) };
        let answer = timeout(PATIENCE, node.verifier.verify(question)).await.expect("it waits");
        let Err(Error::RevisionNotReached { min_revision: asked, revision }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((asked, revision), (min_revision, head));
    }
    drop(following);
}

/// While the log cannot be followed, it may be there.
#[tokio::test]
async fn without_a_look_at_the_log_a_revision_is_waited_for() {
    let (database, node) = Node::alone(LIMITS).await;
    let key = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    following.looks(1).await;
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

/// Without a word, the poll stands behind.
#[tokio::test]
async fn without_a_word_it_polls() {
    let (database, node) = Node::alone(LIMITS).await;
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
    // SQLite has no word for other processes.
    let store = Arc::new(database.open().await);
    store.ping().await.unwrap();
    store.wakeups()
}
