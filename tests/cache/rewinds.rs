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

/// Takes the last events away, so that the log ends with `revision`.
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
    /// Changes something that concerns nobody, so many times.
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

/// Keys are revoked elsewhere under revisions that the node knows as something else.
#[tokio::test]
async fn a_key_revoked_under_a_revision_given_before_is_not_valid() {
    for kind in KINDS {
        // So that the log ends before, at, and behind where it was.
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
            assert!(!node.verifier.stands(&session, node.verifier.moment()), "its proof was of before");
            assert!(node.goes_on(&session).await, "but it is still good");
            // From here on all is as ever: nothing is read twice, and changes are seen.
            node.codes(&renamed).await;
            node.store.loads();
            node.codes(&keys).await;
            node.codes(&renamed).await;
            assert_eq!(node.store.loads(), 0, "{kind:?}, {more} more");
            elsewhere.revoke(&caller).await;
            node.cache.catch_up().await.unwrap();
            assert_eq!(node.cache.rewinds().number, 1);
            assert!(!node.goes_on(&session).await);
        }
    }
}

/// The node's own change takes a revision that it knows, before it has looked at the log again.
#[tokio::test]
async fn the_nodes_own_change_is_not_mistaken_for_an_older_one() {
    for kind in KINDS {
        let Lossy { database, node, keys, kept, .. } = Lossy::on(kind).await;
        rewind(&database, kept).await;
        let revision = node.revoke(&keys[0]).await;
        assert!(revision <= node.cache.position(), "it is one of those that were lost");
        let decision = node.verify(&keys[0].api_key).await.unwrap();
        assert_eq!(decision.code, Code::Revoked, "{kind:?}");
        assert_eq!(decision.revision, revision, "{kind:?}");
        node.cache.catch_up().await.unwrap();
        assert_eq!(node.cache.position(), revision);
        assert_eq!(node.cache.rewinds().number, 1, "{kind:?}");
        assert_eq!(node.codes(&keys).await, [Code::Revoked, Code::Valid, Code::Valid], "{kind:?}");
    }
}

/// Nor when the revision that it takes is one of its own that it did not follow yet.
#[tokio::test]
async fn its_own_change_is_not_mistaken_for_its_own_that_was_lost() {
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

/// A load may have seen changes that the follower has not, and that are lost before it does.
#[tokio::test]
async fn a_load_from_ahead_of_the_follower_is_not_believed_when_that_was_lost() {
    for more in [0, 4] {
        let Lossy { database, node, keys, filler, .. } = Lossy::on(Kind::Sqlite).await;
        let elsewhere = Node::on(&database, LIMITS).await;
        let kept = node.cache.position();
        let cold = elsewhere.key("acme").await;
        elsewhere.idle(&filler, 4).await;
        // Without a word of the change log in between.
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

/// A load that began before, and brings what was read then, must not be believed after.
#[tokio::test]
async fn a_load_under_way_brings_nothing_back() {
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
    // It was asked before.
    asking.await.unwrap();
    assert_eq!(node.code(&cold.api_key).await, Code::Revoked);
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    // The head that it found is of before too, and no sign that the log goes backwards again.
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
}

/// The database is gone right when the node notices: until it is back, nothing of before is served.
#[tokio::test]
async fn nothing_of_before_is_served_while_the_truth_cannot_be_read() {
    let Lossy { database, node, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    rewind(&database, kept).await;
    // It is asked what changed, and then where the log ends.
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

/// What the log lost may be all that a node has ever seen of it.
#[tokio::test]
async fn a_node_that_has_just_started_notices_too() {
    let Lossy { database, keys, kept, .. } = Lossy::on(Kind::Sqlite).await;
    let node = Node::on(&database, LIMITS).await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    rewind(&database, kept).await;
    node.revoke(&keys[1]).await;
    assert_eq!(node.code(&keys[1].api_key).await, Code::Revoked);
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.cache.rewinds().number, 1);
}

/// A node that follows its own changes, before or after they are made known to it, has nothing to start over for.
#[tokio::test]
async fn a_change_that_is_followed_before_it_is_made_known_is_no_rewind() {
    let (_database, node) = Node::alone(LIMITS).await;
    let keys = node.keys(3).await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    let following = Following::start(&node).await;
    let head = node.store.head().await.unwrap();
    node.store.loads();
    node.cache.made(head, "projects/other/keys/none");
    following.once().await;
    assert_eq!(node.codes(&keys).await, [Code::Valid; 3]);
    assert_eq!(node.store.loads(), 0);
    assert_eq!(node.cache.rewinds().number, 0);
}

/// The log is looked at while it is being put back: its events are gone already, its head is still where it was.
#[tokio::test]
async fn a_log_that_is_put_back_by_and_by_is_noticed_to_its_end() {
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

/// A log that was tampered with is a matter of the audit; the cache starts over once, and not at every look.
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
        // What is no hash is read as none, as the zeros are.
        let expected = [1, 1, 2][number];
        assert_eq!(node.cache.rewinds().number, expected, "{tampering}");
    }
    node.revoke(&keys[0]).await;
    node.cache.catch_up().await.unwrap();
    assert_eq!(node.codes(&keys).await, [Code::Revoked, Code::Valid, Code::Valid]);
    assert_eq!(node.cache.rewinds().number, 2);
}
