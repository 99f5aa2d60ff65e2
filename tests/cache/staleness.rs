//! The database gone: warm keys are served within the bound, cold ones fail at once, and all recovers by itself.

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
async fn warm_keys_are_served_to_the_bound_and_no_longer() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = warmed(&node, 3).await;
    let unknown = with_id(&keys[0].api_key, unknown_id(1));
    assert_eq!(node.code(&unknown).await, Code::NotFound);
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
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
    assert_eq!(node.store.loads(), 0, "what is known to be gone is not asked");
}

#[tokio::test]
async fn warm_keys_are_served_beyond_the_bound_where_that_is_wanted() {
    let (_database, node) = Node::alone(Limits { fail_open: true, ..LIMITS }).await;
    let keys = warmed(&node, 3).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
    for step in [BOUND, TICK, Duration::from_secs(3600)] {
        node.clock.advance(step);
        for key in &keys {
            let decision = node.verify(&key.api_key).await.unwrap();
            assert_eq!(decision.code, Code::Valid);
            assert!(decision.degraded && decision.age >= BOUND);
        }
        assert_unavailable(node.verify(&cold.api_key).await);
    }
    // What is known to have changed is not served, wanted or not.
    node.revoke(&keys[0]).await;
    assert_unavailable(node.verify(&keys[0].api_key).await);
    assert_eq!(node.code(&keys[1].api_key).await, Code::Valid);
    node.store.set(Mode::Answers);
    following.once().await;
    assert_eq!(node.code(&keys[0].api_key).await, Code::Revoked);
}

/// A database that neither answers nor refuses holds nobody up once that was noticed.
#[tokio::test]
async fn a_database_that_hangs_is_as_good_as_gone() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = warmed(&node, 1).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Hangs);
    following.looks(2).await;
    node.clock.advance(DEGRADED + TICK);
    let (warm, cold) =
        timeout(PATIENCE, async { (node.verify(&keys[0].api_key).await, node.verify(&cold.api_key).await) })
            .await
            .expect("it must not wait for the database");
    assert_valid(warm, DEGRADED + TICK);
    assert_unavailable(cold);
}

#[tokio::test]
async fn a_change_that_was_answered_ends_what_is_served() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = warmed(&node, 2).await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
    node.revoke(&keys[0]).await;
    assert_unavailable(node.verify(&keys[0].api_key).await);
    assert_valid(node.verify(&keys[1].api_key).await, Duration::ZERO);
}

/// Nothing is loaded anew for having been away, but what has changed meanwhile, and that once.
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
    following.once().await;
    node.clock.advance(BOUND + Duration::from_secs(600));
    let revoked = &keys[7];
    elsewhere.revoke(revoked).await;
    for key in &keys {
        assert_unavailable(node.verify(&key.api_key).await);
    }
    node.store.set(Mode::Answers);
    following.once().await;
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

/// While the log cannot be followed but keys can be read, what was just read is as good as new.
#[tokio::test]
async fn what_is_read_anew_counts_from_its_reading() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = warmed(&node, 1).await;
    node.clock.advance(BOUND + TICK);
    node.store.loads();
    assert_valid(node.verify(&keys[0].api_key).await, Duration::ZERO);
    assert_eq!(node.store.loads(), 1);
    node.clock.advance(BOUND);
    assert_valid(node.verify(&keys[0].api_key).await, BOUND);
    assert_eq!(node.store.loads(), 0);
}

/// While the log cannot be followed, the time to live neither refuses a key nor has it read again.
#[tokio::test]
async fn the_time_to_live_does_not_pass_in_an_outage() {
    let limits = Limits { time_to_live: Duration::from_secs(4), ..LIMITS };
    let (_database, node) = Node::alone(limits).await;
    let keys = warmed(&node, 2).await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
    node.store.loads();
    node.clock.advance(BOUND);
    for key in &keys {
        assert_valid(node.verify(&key.api_key).await, BOUND);
    }
    assert_eq!(node.store.loads(), 0);
    node.clock.advance(TICK);
    assert_unavailable(node.verify(&keys[0].api_key).await);
    node.store.set(Mode::Answers);
    following.once().await;
    node.store.loads();
    for key in &keys {
        assert_valid(node.verify(&key.api_key).await, Duration::ZERO);
    }
    assert_eq!(node.store.loads(), 2, "it has passed meanwhile");
}

/// A node whose every question is answered with something new is no worse off than one that hears of nothing.
#[tokio::test]
async fn a_page_of_changes_confirms_as_none_does() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = warmed(&node, 2).await;
    node.cache.catch_up().await.unwrap();
    node.clock.advance(BOUND + TICK);
    node.revoke(&keys[0]).await;
    // Whatever it may still ask is not answered.
    node.store.answers_changes(1);
    assert!(timeout(PATIENCE, node.cache.catch_up()).await.unwrap().is_ok());
    node.store.loads();
    assert_valid(node.verify(&keys[1].api_key).await, Duration::ZERO);
    assert_eq!(node.store.loads(), 0, "it is known to be current");
}

/// The question that the log was asked before the pause does not make the time after it certain.
#[tokio::test]
async fn an_answer_that_comes_late_confirms_no_more_than_when_it_was_asked() {
    let (_database, node) = Node::alone(LIMITS).await;
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

/// Once it failed, it looks again soon, however rarely it looks otherwise.
#[tokio::test]
async fn the_log_is_followed_again_without_a_word() {
    let (_database, node) = Node::alone(LIMITS).await;
    let cold = node.key("acme").await;
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
    // Whatever else woke it has its turn before the database is back.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    node.store.set(Mode::Answers);
    let recovered = timeout(PATIENCE, async {
        while node.verify(&cold.api_key).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    recovered.await.expect("it is not followed again");
}

/// Keys that rested until their time to live was over are as good as others, once the database is gone.
#[tokio::test]
async fn an_outage_finds_keys_that_rested() {
    let limits = Limits { time_to_live: Duration::from_secs(1), ..LIMITS };
    let (_database, node) = Node::alone(limits).await;
    let keys = warmed(&node, 1).await;
    node.clock.advance(Duration::from_secs(10));
    let following = Following::start(&node).await;
    node.store.set(Mode::Fails);
    following.once().await;
    assert_valid(node.verify(&keys[0].api_key).await, Duration::ZERO);
    node.clock.advance(BOUND);
    assert_valid(node.verify(&keys[0].api_key).await, BOUND);
    node.clock.advance(TICK);
    assert_unavailable(node.verify(&keys[0].api_key).await);
}

/// A change may overtake a read, and then be confirmed before the decision on what was read.
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
