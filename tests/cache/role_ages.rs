//! How old a role may be, and what is decided while roles cannot be read.

use std::time::Duration;

use domain::{access::Projects, decision::Code};
use futures_util::poll;
use keystile::{
    ports::{ReadLog, StoreError},
    verbs::{Decision, Error, NewKey},
};
use testkit::database::Kind;

use crate::{
    faulty::Mode,
    node::{LIMITS, Node, fresh, new_key, question},
    roles::WRITES,
};

const TICK: Duration = Duration::from_micros(1);

#[track_caller]
fn assert_unavailable(decision: Result<Decision, Error>) {
    assert!(matches!(decision, Err(Error::Store(StoreError::Unavailable(_)))), "{decision:?}");
}

/// Also for a key that came later, whose grants were put together from the role that was cached.
#[tokio::test]
async fn a_role_is_read_again_after_its_time_to_live() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(2).await;
    node.assert_permits(&keys[..1], WRITES).await;
    node.clock.advance(LIMITS.time_to_live / 2);
    node.catch_up().await;
    node.assert_permits(&keys[1..], WRITES).await;
    assert_eq!(node.store.role_loads(), 0);
    node.clock.advance(LIMITS.time_to_live / 2 + TICK);
    node.catch_up().await;
    node.assert_permits(&keys[1..], WRITES).await;
    assert_eq!(node.store.role_loads(), 1);
}

/// The key is cached by then, but nothing is decided without its role.
#[tokio::test]
async fn nothing_is_denied_before_the_role_is_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.store.set(Mode::FailsRoles);
    for _ in 0..2 {
        assert_unavailable(node.ask(&keys[0], "documents.write").await);
    }
    node.store.set(Mode::Answers);
    node.assert_permits(&keys, WRITES).await;
}

#[tokio::test]
async fn a_role_that_is_known_to_have_changed_grants_nothing_before_it_is_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.assert_permits(&keys, WRITES).await;
    node.store.set(Mode::FailsRoles);
    node.grant("documents.share").await;
    assert_unavailable(node.ask(&keys[0], "documents.write").await);
}

/// The key is read again, but its role cannot be.
#[tokio::test]
async fn a_role_is_not_used_beyond_the_bound_on_staleness() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.assert_permits(&keys, WRITES).await;
    node.store.set(Mode::FailsRoles);
    node.clock.advance(LIMITS.max_staleness);
    node.assert_permits(&keys, WRITES).await;
    node.clock.advance(TICK);
    assert_unavailable(node.ask(&keys[0], "documents.write").await);
}

#[tokio::test]
async fn a_decision_is_as_old_as_the_role() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(3).await;
    node.catch_up().await;
    node.assert_permits(&keys[..1], WRITES).await;
    let span = Duration::from_secs(5);
    node.clock.advance(span);
    // First it is read, then it is cached.
    for _ in 0..2 {
        let decision = node.ask(&keys[2], "documents.write").await.unwrap();
        assert_eq!((decision.code, decision.age), (Code::Valid, span));
    }
}

/// The node has not followed the change of the role, but has read a key that was created after it.
#[tokio::test]
async fn a_decision_rests_on_no_revision_that_its_role_does_not_include() {
    let database = fresh(Kind::Sqlite).await;
    let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
    here.create_project("acme").await;
    here.create_role().await;
    let first = here.holders(1).await;
    there.catch_up().await;
    there.assert_permits(&first, WRITES).await;
    let changed = here.grant("documents.share").await;
    let later = here.holders(1).await.remove(0);
    // First it is read, then it is cached.
    for _ in 0..2 {
        let decision = there.ask(&later, "documents.write").await.unwrap();
        assert!(
            decision.code == Code::MissingPermission || decision.revision < changed,
            "{} of {changed}",
            decision.revision
        );
    }
}

/// The read of the role began before the change, and a verification after the change finds it under way.
#[tokio::test]
async fn a_read_of_a_role_that_began_before_a_change_is_not_used_after_it() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.assert_permits(&keys, WRITES).await;
    node.grant("documents.share").await;
    node.store.set(Mode::HoldsRoles);
    let (_, second) = tokio::join!(node.ask(&keys[0], "documents.share"), async {
        node.store.held(1).await;
        node.grant("documents.write").await;
        let mut second = Box::pin(node.ask(&keys[0], "documents.write"));
        assert!(poll!(&mut second).is_pending());
        node.store.set(Mode::Answers);
        second.await
    });
    assert_eq!(second.unwrap().code, Code::Valid);
}

/// The same for a key that is read at the same point as the role.
#[tokio::test]
async fn a_key_and_a_role_read_together_are_not_used_after_a_change_of_the_role() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.store.set(Mode::HoldsRoles);
    let (_, second) = tokio::join!(node.ask(&keys[0], "documents.write"), async {
        node.store.held(1).await;
        node.grant("documents.share").await;
        let mut second = Box::pin(node.ask(&keys[0], "documents.write"));
        assert!(poll!(&mut second).is_pending());
        node.store.set(Mode::Answers);
        second.await
    });
    assert_eq!(second.unwrap().code, Code::MissingPermission);
}

/// What is known of it has not changed, and the bound on staleness is not reached.
#[tokio::test]
async fn a_role_past_its_time_to_live_is_used_while_it_cannot_be_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    node.assert_permits(&keys, WRITES).await;
    node.clock.advance(LIMITS.time_to_live + TICK);
    node.catch_up().await;
    node.store.set(Mode::FailsRoles);
    node.assert_permits(&keys, WRITES).await;
    node.clock.advance(LIMITS.max_staleness + TICK);
    assert_unavailable(node.ask(&keys[0], "documents.write").await);
}

/// What its roles grant is kept with it.
#[tokio::test]
async fn a_key_is_decided_from_the_cache_once_its_role_is_read() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.create_role().await;
    let keys = node.holders(1).await;
    let cached = || {
        let asked = question(&keys[0].api_key, 0);
        node.verifier.verify_cached(&Projects::All, asked, node.verifier.moment()).is_ok()
    };
    node.assert_permits(&keys, WRITES).await;
    assert!(cached());
    node.grant("documents.share").await;
    assert!(!cached(), "its role has changed");
    assert_eq!(node.permits(&keys[0], "documents.share").await, Code::Valid);
    assert!(cached());
}

/// What is granted to it directly was known before, but is right whenever the key is.
#[tokio::test]
async fn a_decision_on_a_key_without_roles_rests_on_its_own_read() {
    let database = fresh(Kind::Sqlite).await;
    let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
    here.create_project("acme").await;
    let permissions = vec!["chat.run".parse().unwrap()];
    let key = async || here.try_key(NewKey { permissions: permissions.clone(), ..new_key("acme") }).await;
    let first = key().await;
    there.catch_up().await;
    assert_eq!(there.permits(&first, "chat.run").await, Code::Valid);
    there.clock.advance(Duration::from_secs(5));
    let later = key().await;
    let revision = here.store.head().await.unwrap().revision;
    // First it is read, then it is cached.
    for _ in 0..2 {
        let decision = there.verify(&later.api_key).await.unwrap();
        let rests_on = (decision.code, decision.revision, decision.age);
        assert_eq!(rests_on, (Code::Valid, revision, Duration::ZERO));
    }
}
