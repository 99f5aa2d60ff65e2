//! The database down: warm keys are served within the bound, cold ones fail at once, and everything recovers by itself.

use std::{sync::Arc, time::Duration};

use domain::decision::Code;
use keystile::{
    cache::Limits,
    ports::StoreError,
    verbs::{Decision, Error},
};
use testkit::database::Kind;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    faulty::Mode,
    misses::{unknown_id, with_id},
    node::{Following, LIMITS, Node, PATIENCE, TestKey, fresh},
};

const BOUND: Duration = LIMITS.max_staleness;
const TICK: Duration = Duration::from_micros(1);
const DEGRADED: Duration = Duration::from_secs(2);

#[track_caller]
fn assert_unavailable(answer: Result<Decision, Error>) {
    let Err(Error::Store(StoreError::Unavailable(_))) = answer else {
        panic!("not unavailable: {answer:?}");
    };
}

#[track_caller]
fn assert_valid(answer: Result<Decision, Error>, age: Duration) {
    let decision = answer.unwrap();
    assert_eq!(decision.code, Code::Valid);
    assert_eq!(decision.age, age);
    assert_eq!(decision.degraded, age > DEGRADED);
}

async fn warmed(node: &Node, number: usize) -> Vec<TestKey> {
    let keys = node.keys(number).await;
    for key in &keys {
        assert_eq!(node.code(&key.api_key).await, Code::Valid);
    }
    keys
}

#[tokio::test]
async fn warm_keys_are_served_until_max_staleness() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 3).await;
    let unknown = with_id(&keys[0].api_key, unknown_id(1));
    assert_eq!(node.code(&unknown).await, Code::NotFound);
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    node.store.loads();
    let mut age = Duration::ZERO;
    for step in [Duration::ZERO, DEGRADED, TICK, BOUND - DEGRADED - TICK] {
        node.clock.advance(step);
        age += step;
        for key in &keys {
            assert_valid(node.verify(&key.api_key).await, age);
        }
        assert_eq!(node.code(&unknown).await, Code::NotFound);
        assert_eq!(node.code("junk").await, Code::Malformed);
        assert_unavailable(node.verify(&cold.api_key).await);
    }
    node.clock.advance(TICK);
    for api_key in [&keys[0].api_key, &keys[2].api_key, &unknown, &cold.api_key] {
        assert_unavailable(node.verify(api_key).await);
    }
    assert_eq!(node.code("junk").await, Code::Malformed);
    assert_eq!(node.store.loads(), 0, "no query goes to a database that is down");
}

#[tokio::test]
async fn with_fail_open_warm_keys_are_served_beyond_max_staleness() {
    let (_database, node) = Node::on_fresh_database(Limits { fail_open: true, ..LIMITS }).await;
    let keys = warmed(&node, 3).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    for step in [BOUND, TICK, Duration::from_secs(3600)] {
        node.clock.advance(step);
        for key in &keys {
            let decision = node.verify(&key.api_key).await.unwrap();
            assert_eq!(decision.code, Code::Valid);
            assert!(decision.degraded && decision.age >= BOUND);
        }
        assert_unavailable(node.verify(&cold.api_key).await);
    }
    // A key that is known to have changed is not served, not even with fail_open.
    node.revoke(&keys[0]).await;
    assert_unavailable(node.verify(&keys[0].api_key).await);
    assert_eq!(node.code(&keys[1].api_key).await, Code::Valid);
    node.store.set(Mode::Answers);
    following.poll_once().await;
    assert_eq!(node.code(&keys[0].api_key).await, Code::Revoked);
}

/// Once a database that neither answers nor refuses is noticed, no verification waits for it.
#[tokio::test]
async fn a_database_that_hangs_counts_as_down() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 1).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    following.poll_times(2).await;
    node.clock.advance(DEGRADED + TICK);
    let (warm, cold) =
        timeout(PATIENCE, async { (node.verify(&keys[0].api_key).await, node.verify(&cold.api_key).await) })
            .await
            .expect("it must not wait for the database");
    assert_valid(warm, DEGRADED + TICK);
    assert_unavailable(cold);
}

#[tokio::test]
async fn an_answered_change_is_seen_during_an_outage() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 2).await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    node.revoke(&keys[0]).await;
    assert_unavailable(node.verify(&keys[0].api_key).await);
    assert_valid(node.verify(&keys[1].api_key).await, Duration::ZERO);
}

/// After an outage, only keys that changed meanwhile are loaded again, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_is_no_stampede() {
    const KEYS: usize = 200;
    let database = fresh(Kind::Sqlite).await;
    let (node, elsewhere) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
    node.create_project("acme").await;
    let keys = warmed(&node, KEYS).await;
    let node = Arc::new(node);
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    node.clock.advance(BOUND + Duration::from_secs(600));
    let revoked = &keys[7];
    elsewhere.revoke(revoked).await;
    for key in &keys {
        assert_unavailable(node.verify(&key.api_key).await);
    }
    node.store.set(Mode::Answers);
    following.poll_once().await;
    node.store.loads();
    let mut tasks = JoinSet::new();
    for number in 0..5 * KEYS {
        let (node, key) = (node.clone(), keys[number % KEYS].clone());
        tasks.spawn(async move { (key.name.key, node.verify(&key.api_key).await) });
    }
    for (id, answer) in tasks.join_all().await {
        if id == revoked.name.key {
            assert_eq!(answer.unwrap().code, Code::Revoked);
        } else {
            assert_valid(answer, Duration::ZERO);
        }
    }
    // Keys that share a slot with the one that changed are loaded with it.
    let loads = node.store.loads();
    assert!((1..=5).contains(&loads), "{loads} loads");
}

/// While the log cannot be followed but keys can be read, the age of a key counts from its read.
#[tokio::test]
async fn a_key_read_during_an_outage_of_the_log_has_the_age_of_its_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 1).await;
    node.clock.advance(BOUND + TICK);
    node.store.loads();
    assert_valid(node.verify(&keys[0].api_key).await, Duration::ZERO);
    assert_eq!(node.store.loads(), 1);
    node.clock.advance(BOUND);
    assert_valid(node.verify(&keys[0].api_key).await, BOUND);
    assert_eq!(node.store.loads(), 0);
}

/// While the log cannot be followed, no key's time to live ends, so no key is refused or read again for it.
#[tokio::test]
async fn the_time_to_live_does_not_pass_in_an_outage() {
    let limits = Limits { time_to_live: Duration::from_secs(4), ..LIMITS };
    let (_database, node) = Node::on_fresh_database(limits).await;
    let keys = warmed(&node, 2).await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    node.store.loads();
    node.clock.advance(BOUND);
    for key in &keys {
        assert_valid(node.verify(&key.api_key).await, BOUND);
    }
    assert_eq!(node.store.loads(), 0);
    node.clock.advance(TICK);
    assert_unavailable(node.verify(&keys[0].api_key).await);
    node.store.set(Mode::Answers);
    following.poll_once().await;
    node.store.loads();
    for key in &keys {
        assert_valid(node.verify(&key.api_key).await, Duration::ZERO);
    }
    assert_eq!(node.store.loads(), 2, "the time to live ended during the outage");
}

/// A poll that returns changes confirms that the cache is current, as an empty one does.
#[tokio::test]
async fn a_poll_with_changes_confirms_like_an_empty_one() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 2).await;
    node.cache.catch_up().await.unwrap();
    node.clock.advance(BOUND + TICK);
    node.revoke(&keys[0]).await;
    // No further query is answered.
    node.store.answers_changes(1);
    assert!(timeout(PATIENCE, node.cache.catch_up()).await.unwrap().is_ok());
    node.store.loads();
    assert_valid(node.verify(&keys[1].api_key).await, Duration::ZERO);
    assert_eq!(node.store.loads(), 0, "the poll has confirmed it");
}

/// A poll confirms the cache as of the time at which it was sent, not as of its answer.
#[tokio::test]
async fn a_late_answer_confirms_only_as_of_when_the_poll_was_sent() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = warmed(&node, 1).await;
    node.cache.catch_up().await.unwrap();
    let node = Arc::new(node);
    node.store.set(Mode::Hangs);
    let asked = node.store.follows();
    let asking = tokio::spawn({
        let cache = node.cache.clone();
        async move { cache.catch_up().await }
    });
    node.store.follows_reach(asked + 1).await;
    node.clock.advance(BOUND + TICK);
    node.store.set(Mode::Answers);
    asking.await.unwrap().unwrap();
    node.store.loads();
    assert_valid(node.verify(&keys[0].api_key).await, Duration::ZERO);
    assert_eq!(node.store.loads(), 1, "it had to be read again");
}

/// After a failure, the follower polls again soon, however long its interval.
#[tokio::test]
async fn the_log_is_followed_again_without_a_notification() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    // All earlier wake-ups are handled before the database is back.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    node.store.set(Mode::Answers);
    let recovered = timeout(PATIENCE, async {
        while node.verify(&cold.api_key).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    recovered.await.expect("the log is not followed again");
}

/// During an outage, keys whose time to live ended before it are served like others.
#[tokio::test]
async fn during_an_outage_keys_past_their_time_to_live_are_served() {
    let limits = Limits { time_to_live: Duration::from_secs(1), ..LIMITS };
    let (_database, node) = Node::on_fresh_database(limits).await;
    let keys = warmed(&node, 1).await;
    node.clock.advance(Duration::from_secs(10));
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.poll_once().await;
    assert_valid(node.verify(&keys[0].api_key).await, Duration::ZERO);
    node.clock.advance(BOUND);
    assert_valid(node.verify(&keys[0].api_key).await, BOUND);
    node.clock.advance(TICK);
    assert_unavailable(node.verify(&keys[0].api_key).await);
}

/// A change may become known, and be confirmed by a poll, between a read and the decision that rests on it.
#[tokio::test]
async fn a_decision_is_no_younger_than_the_read_that_it_rests_on() {
    let database = fresh(Kind::Sqlite).await;
    let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
    there.create_project("acme").await;
    let key = there.key("acme").await;
    here.cache.catch_up().await.unwrap();
    let span = Duration::from_secs(3);
    here.store.set(Mode::Holds);
    let (decision, ()) = tokio::join!(here.verify(&key.api_key), async {
        here.store.held(1).await;
        there.revoke(&key).await;
        here.clock.advance(span);
        here.cache.catch_up().await.unwrap();
        here.store.set(Mode::Answers);
    });
    let Decision { code, age, .. } = decision.unwrap();
    assert_eq!(code, Code::Valid, "the verification began before the change was known");
    assert!(age >= span, "{age:?}");
}
