//! The change log goes backwards, as after a restore under running nodes or a failover that lost the last changes.

use std::time::Duration;

use domain::{Revision, decision::Code};
use keystile::ports::{Changes, ReadLog};
use testkit::database::{Database, Kind};

use crate::{
    faulty::Mode,
    node::{Following, LIMITS, Node, TestKey, call, fresh},
};

const KINDS: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::MySql];

/// Removes the last events, so that the log ends with `revision`.
pub(crate) async fn rewind(database: &Database, revision: Revision) {
    let raw = database.raw().await;
    for statement in [
        format!("DELETE FROM audit_events WHERE revision > {revision}"),
        format!(
            "UPDATE change_head SET revision = {revision}, \
             hash = (SELECT hash FROM audit_events WHERE revision = {revision})"
        ),
    ] {
        sea_orm::ConnectionTrait::execute_unprepared(&raw, &statement).await.unwrap();
    }
    raw.close().await.unwrap();
}

impl Node {
    /// Makes this many changes of a resource that no test uses.
    pub(crate) async fn idle(&self, key: &TestKey, times: usize) {
        for _ in 0..times {
            self.service.rotate_key(&call(), &key.name, "", Duration::ZERO).await.unwrap();
        }
    }

    async fn codes(&self, keys: &[TestKey]) -> Vec<Code> {
        let mut codes = Vec::new();
        for key in keys {
            codes.push(self.code(&key.api_key).await);
        }
        codes
    }
}

/// A database with five changes at its end that are lost later, and a node that has followed them.
pub(crate) struct Lossy {
    pub(crate) database: Database,
    pub(crate) node: Node,
    /// All cached at the node, and valid.
    pub(crate) keys: Vec<TestKey>,
    pub(crate) filler: TestKey,
    /// Where the log is cut off.
    pub(crate) kept: Revision,
}

impl Lossy {
    pub(crate) async fn on(kind: Kind) -> Self {
        let database = fresh(kind).await;
        let node = Node::on(&database, LIMITS).await;
        node.create_project("acme").await;
        let (keys, filler) = (node.keys(3).await, node.key("acme").await);
        let kept = node.store.head().await.unwrap().revision;
        node.idle(&filler, 5).await;
        node.cache.catch_up().await.unwrap();
        assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
        Self { database, node, keys, filler, kept }
    }
}

/// After the rewind, another node revokes keys under revisions that this node has followed as other changes.
#[tokio::test]
async fn a_key_revoked_under_a_reused_revision_is_not_valid() {
    for kind in KINDS {
        // So that the log ends before, at, and after its former end.
        for more in [0, 2, 6] {
            let Lossy { database, node, keys, kept, .. } = Lossy::on(kind).await;
            let caller = node.key("system").await;
            node.cache.catch_up().await.unwrap();
            let session = node.session(&caller.api_key).await.unwrap();
            rewind(&database, kept).await;
            let elsewhere = Node::on(&database, LIMITS).await;
            for key in &keys {
                elsewhere.revoke(key).await;
            }
            let renamed = elsewhere.keys(more).await;
            assert_eq!(node.cache.rewinds().number, 0);
            node.cache.catch_up().await.unwrap();
            assert_eq!(node.codes(&keys).await, [Code::Revoked; 3], "{kind:?}, {more} more");
            assert_eq!(node.codes(&renamed).await, vec![Code::Valid; more]);
            let head = elsewhere.store.head().await.unwrap().revision;
            let rewinds = node.cache.rewinds();
            assert_eq!((rewinds.number, rewinds.to), (1, head), "{kind:?}, {more} more");
            assert_eq!(node.cache.position(), head);
            assert!(
                !node.verifier.is_still_valid(&session, node.verifier.moment()),
                "the session is from before the rewind"
            );
            assert!(node.accepts(&session).await, "it can be renewed");
            // From here on the cache works as usual: no key is read twice, and changes are seen.
            node.codes(&renamed).await;
            node.store.loads();
            node.codes(&keys).await;
            node.codes(&renamed).await;
            assert_eq!(node.store.loads(), 0, "{kind:?}, {more} more");
            elsewhere.revoke(&caller).await;
            node.cache.catch_up().await.unwrap();
            assert_eq!(node.cache.rewinds().number, 1);
            assert!(!node.accepts(&session).await);
        }
    }
}

/// The node's own change gets a revision that the node has followed already, before it polls the log again.
#[tokio::test]
async fn the_nodes_own_change_is_not_mistaken_for_an_older_one() {
    for kind in KINDS {
        let Lossy { database, node, keys, kept, .. } = Lossy::on(kind).await;
        rewind(&database, kept).await;
        let revision = node.revoke(&keys[0]).await;
        assert!(revision <= node.cache.position(), "the revision is that of a lost change");
        let decision = node.verify(&keys[0].api_key).await.unwrap();
        assert_eq!(decision.code, Code::Revoked, "{kind:?}");
        assert_eq!(decision.revision, revision, "{kind:?}");
        node.cache.catch_up().await.unwrap();
        assert_eq!(node.cache.position(), revision);
        assert_eq!(node.cache.rewinds().number, 1, "{kind:?}");
        assert_eq!(node.codes(&keys).await, [Code::Revoked, Code::Valid, Code::Valid], "{kind:?}");
    }
}

/// The same if the lost change with that revision was the node's own, and not followed yet.
#[tokio::test]
async fn the_nodes_own_change_is_not_mistaken_for_its_own_lost_one() {
    let Lossy { database, node, keys, filler, .. } = Lossy::on(Kind::Sqlite).await;
    let kept = node.cache.position();
    node.idle(&filler, 2).await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    let other = node.key("acme").await;
    assert_eq!(node.code(&other.api_key).await, Code::Valid);
    rewind(&database, kept).await;
    node.revoke(&other).await;
    assert_eq!(node.code(&other.api_key).await, Code::Revoked);
}

/// A load may have seen changes that the follower has not yet read, and that are lost before it does.
#[tokio::test]
async fn a_load_ahead_of_the_follower_is_not_used_after_a_rewind() {
    for more in [0, 4] {
        let Lossy { database, node, keys, filler, .. } = Lossy::on(Kind::Sqlite).await;
        let elsewhere = Node::on(&database, LIMITS).await;
        let kept = node.cache.position();
        let cold = elsewhere.key("acme").await;
        elsewhere.idle(&filler, 4).await;
        // Without a poll of the change log in between.
        let late = node.store.head().await.unwrap().revision;
        assert_eq!(node.verify(&cold.api_key).await.unwrap().revision, late);
        assert_eq!(node.cache.position(), kept);
        rewind(&database, late - 4).await;
        let after = Node::on(&database, LIMITS).await;
        after.revoke(&cold).await;
        after.keys(more).await;
        node.cache.catch_up().await.unwrap();
        assert_eq!(node.code(&cold.api_key).await, Code::Revoked, "{more} more");
        assert_eq!(node.cache.rewinds().number, 1, "{more} more");
        assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    }
}

/// A load that began before the rewind and returns after it must not be used.
#[tokio::test]
async fn a_load_in_flight_does_not_restore_the_old_state() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    let node = std::sync::Arc::new(node);
    let cold = node.key("acme").await;
    node.store.set(Mode::Holds);
    let asking = tokio::spawn({
        let (node, api_key) = (node.clone(), cold.api_key.clone());
        async move { node.code(&api_key).await }
    });
    node.store.held(1).await;
    rewind(&database, kept).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    elsewhere.revoke(&cold).await;
    node.cache.catch_up().await.unwrap();
    node.store.set(Mode::Answers);
    // The load began before the rewind.
    asking.await.unwrap();
    assert_eq!(node.code(&cold.api_key).await, Code::Revoked);
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    // The head that it found is of before too, and no sign that the log goes backwards again.
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
}

/// The database fails just as the node notices the rewind: until it is back, nothing that was cached before is served.
#[tokio::test]
async fn nothing_cached_before_a_rewind_is_served_while_the_database_is_down() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    rewind(&database, kept).await;
    // The follower reads the changes, and then the head.
    node.store.answers_changes(1);
    node.cache.catch_up().await.unwrap_err();
    node.store.set(Mode::Fails);
    node.verify(&keys[0].api_key).await.unwrap_err();
    assert_eq!(node.cache.rewinds().number, 0);
    node.store.set(Mode::Answers);
    node.store.answers_changes(usize::MAX);
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
    assert_eq!(node.cache.position(), kept);
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
}

/// The lost events may be all that a node has seen of the log.
#[tokio::test]
async fn a_node_that_has_just_started_notices_a_rewind() {
    let Lossy { database, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    let node = Node::on(&database, LIMITS).await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    rewind(&database, kept).await;
    node.revoke(&keys[1]).await;
    assert_eq!(node.code(&keys[1].api_key).await, Code::Revoked);
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
}

/// A node that follows its own changes, before or after they are made known to its cache, does not start over.
#[tokio::test]
async fn a_change_that_is_followed_before_it_is_made_known_is_no_rewind() {
    let (_database, node) = Node::on_fresh_database(LIMITS).await;
    let keys = node.keys(3).await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    let following = Following::start(&node).await;
    let head = node.store.head().await.unwrap();
    node.store.loads();
    node.cache.made(head, "projects/other/keys/none");
    following.poll_once().await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    assert_eq!(node.store.loads(), 0);
    assert_eq!(node.cache.rewinds().number, 0);
}

/// A poll during a restore: the events are gone already, the head is not yet moved back.
#[tokio::test]
async fn a_log_that_is_restored_step_by_step_is_noticed() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    database.execute(&format!("DELETE FROM audit_events WHERE revision > {kept}")).await;
    for _ in 0..3 {
        node.cache.catch_up().await.unwrap();
        assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
        assert_eq!(node.cache.rewinds().number, 1);
    }
    rewind(&database, kept).await;
    let elsewhere = Node::on(&database, LIMITS).await;
    elsewhere.revoke(&keys[0]).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.codes(&keys).await, [Code::Revoked, Code::Valid, Code::Valid]);
    assert_eq!(node.cache.position(), kept + 1);
    assert_eq!(node.cache.rewinds().number, 2);
}

/// Tampering with the log is for the audit to report; the cache starts over once, not at every poll.
#[tokio::test]
async fn an_event_that_was_edited_is_noticed_once() {
    let Lossy { database, node, keys, .. } = Lossy::on(Kind::Sqlite).await;
    let last = "revision = (SELECT revision FROM change_head)";
    for (number, tampering) in [
        format!("UPDATE audit_events SET hash = zeroblob(32) WHERE {last}"),
        format!("UPDATE audit_events SET hash = 'none' WHERE {last}"),
        format!("DELETE FROM audit_events WHERE {last}"),
    ]
    .into_iter()
    .enumerate()
    {
        database.execute(&tampering).await;
        for _ in 0..3 {
            node.cache.catch_up().await.unwrap();
            assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
        }
        // Anything that is not a hash reads as zeros.
        let expected = [1, 1, 2][number];
        assert_eq!(node.cache.rewinds().number, expected, "{tampering}");
    }
    node.revoke(&keys[0]).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.codes(&keys).await, [Code::Revoked, Code::Valid, Code::Valid]);
    assert_eq!(node.cache.rewinds().number, 2);
}
