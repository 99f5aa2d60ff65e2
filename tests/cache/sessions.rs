//! Sessions: each lasts as long as the credential that proved it, in whatever order changes become known.

use std::{sync::Arc, time::Duration};

use domain::{digest::Peppers, expiry::Expiry};
use keystile::{
    app::World,
    ports::{Changes, Clock, Credentials, ReadLog},
    verbs::{NewKey, Service},
};
use testkit::database::Kind;

use crate::{
    faulty::Mode,
    grants::{holding, keeper},
    node::{LIMITS, Node, call, fresh, new_key},
};

/// The node has not followed the change that revokes the caller, and makes one of its own after it.
#[tokio::test]
async fn a_caller_revoked_on_another_node_loses_its_session() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = fresh(kind).await;
        let (here, there) = (Node::on(&database, LIMITS).await, Node::on(&database, LIMITS).await);
        here.create_project("acme").await;
        let caller = here.key("system").await;
        there.cache.catch_up().await.unwrap();
        assert!(there.session(&caller.api_key).await.is_some());
        here.revoke(&caller).await;
        there.create_project("other").await;
        // The second node has not followed the revocation yet.
        let session = there.session(&caller.api_key).await.unwrap();
        assert!(there.verifier.is_still_valid(&session, there.verifier.moment()));
        there.cache.catch_up().await.unwrap();
        assert!(
            !there.verifier.is_still_valid(&session, there.verifier.moment()),
            "{kind:?}: the session stays valid"
        );
        assert!(there.verifier.renew(&session).await.unwrap().is_none(), "{kind:?}: the session is renewed");
    }
}

/// On one node too, a change may be made known after one that was made after it.
#[tokio::test]
async fn a_caller_revoked_by_a_change_that_is_made_known_late_loses_its_session() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let caller = node.key("system").await;
    assert!(node.session(&caller.api_key).await.is_some());
    // As if the task that makes it known had yet to run.
    let store = node.store.clone();
    let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
    let late = Service::new(store.clone(), node.clock.clone(), World::system().random, peppers, Arc::new(()));
    late.revoke_key(&call(), &caller.name, "", &"".parse().unwrap()).await.unwrap();
    let head = store.head().await.unwrap();
    node.create_project("other").await;
    let session = node.session(&caller.api_key).await.unwrap();
    node.cache.made(head, &caller.name.to_string());
    assert!(!node.verifier.is_still_valid(&session, node.verifier.moment()), "the session stays valid");
    assert!(node.verifier.renew(&session).await.unwrap().is_none());
}

/// Changes of other resources do not require a caller to be proven again.
#[tokio::test]
async fn changes_of_other_resources_leave_sessions_valid() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let caller = node.key("system").await;
    let session = node.session(&caller.api_key).await.unwrap();
    let others = node.keys(3).await;
    node.revoke(&others[0]).await;
    node.cache.catch_up().await.unwrap();
    // It could only fail if one of them shared a slot with it: one in ten thousand does.
    assert!(node.verifier.is_still_valid(&session, node.verifier.moment()));
}

/// The read of the key begins while the credential is valid, and returns after it has expired.
#[tokio::test]
async fn a_caller_that_expires_while_its_key_is_read_is_not_let_in() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let minute = Duration::from_secs(60);
    let caller = node.try_key(NewKey { expiry: Expiry::In(minute), ..new_key("system") }).await;
    node.store.set(Mode::Holds);
    let (session, ()) = tokio::join!(node.session(&caller.api_key), async {
        node.store.held(1).await;
        node.clock.advance(minute);
        node.store.set(Mode::Answers);
    });
    assert!(session.is_none());
}

/// Each thread may hold a few references that it does not count; they are for answers, which are short.
#[tokio::test]
async fn sessions_leave_the_uncounted_references_to_answers() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let caller = node.key("system").await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(node.session(&caller.api_key).await.unwrap());
    }
    let snapshot = node.cache.cached(caller.name.key, node.clock.uptime()).unwrap();
    // The profile has one more.
    assert_eq!(Arc::strong_count(snapshot.access.get().unwrap()), sessions.len() + 1);
}

/// Its key is read before it is revoked, and the answer comes after that.
#[tokio::test]
async fn a_caller_revoked_while_it_is_proven_again_does_not_stay_in() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let caller = node.key("system").await;
    let session = node.session(&caller.api_key).await.unwrap();
    // The log cannot be followed, so only a new proof shows whether the caller is still good.
    node.clock.advance(LIMITS.max_staleness + Duration::from_micros(1));
    assert!(node.verifier.renew(&session).await.unwrap().is_some());
    node.clock.advance(LIMITS.max_staleness + Duration::from_micros(1));
    node.store.set(Mode::Holds);
    let (renewed, ()) = tokio::join!(node.verifier.renew(&session), async {
        node.store.held(1).await;
        node.revoke(&caller).await;
        node.store.set(Mode::Answers);
    });
    assert!(renewed.unwrap().is_none());
}

/// Nothing changes but the role that the caller holds.
#[tokio::test]
async fn a_caller_whose_role_changes_is_proven_again() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    node.service.create_role(&call(), keeper("audit.read")).await.unwrap();
    let caller = node.try_key(holding(&["keeper"], &[])).await;
    let session = node.session(&caller.api_key).await.unwrap();
    assert!(session.access().allows("audit.read"));
    node.make_keeper("keys.read").await;
    assert!(!node.verifier.is_still_valid(&session, node.verifier.moment()), "the session stays valid");
    let renewed = node.verifier.renew(&session).await.unwrap().unwrap();
    assert!(renewed.access().allows("keys.read") && !renewed.access().allows("audit.read"));
}
