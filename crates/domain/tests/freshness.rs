//! The promises of the cache under every interleaving. A verification that starts after a change was
//! answered never uses the state before it, not even from a load in flight. A session never outlives the
//! credential that proved it. After the change log goes backwards, nothing from before is current.
//!
//! The rule under test is the crate's own code; with `--cfg loom` its atomics are the model checker's. The model
//! around it (database, memory, one shared load) is as small as possible.

#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use keystile_domain::{
    Revision,
    changed::Changed,
    freshness::{Freshness, Point, Stamp},
    id::KeyId,
    time::Timestamp,
};
use loom::{
    sync::{Arc, Mutex},
    thread,
};

/// A key's record, with the stamp of its read.
#[derive(Debug, Clone)]
struct Entry {
    revoked: bool,
    stamp: Stamp,
}

/// An authenticated caller.
struct Session {
    stamp: Stamp,
    /// The newest change when it was proven: an earlier, wrong rule for sessions used this.
    newest: Point,
}

struct Node {
    freshness: Freshness,
    key: Changed,
    owner: Changed,
    /// A key that shares no slot with the other.
    bystander: Changed,
    /// Whether the key is revoked, and the revision of the database.
    database: Mutex<(bool, Revision)>,
    remembered: Mutex<Option<Entry>>,
    /// The result of a load, which verifications that come in time share.
    joined: Mutex<Option<Entry>>,
}

impl Node {
    fn new() -> Self {
        let freshness = Freshness::new(2, 0);
        let point = Point::new(freshness.era(), 0);
        let stamp = |changed: &Changed| freshness.stamp(point, std::slice::from_ref(changed));
        // Resources in one slot have equal stamps.
        let key = self::key(0);
        let share_slot = |changed: &Changed| stamp(changed) == stamp(&key);
        let bystander = (1..).map(self::key).find(|key| !share_slot(key)).unwrap();
        let owners = ["acme", "bcme", "ccme", "dcme", "ecme", "fcme", "gcme", "hcme", "icme", "jcme", "kcme"];
        let owner = owners.map(|id| Changed::Project(id.parse().unwrap()));
        let owner = owner.into_iter().find(|owner| share_slot(owner));
        Self {
            // If none of them is in that slot, use the key's own slot.
            owner: owner.unwrap_or_else(|| key.clone()),
            freshness,
            key,
            bystander,
            database: Mutex::new((false, 1)),
            remembered: Mutex::new(None),
            joined: Mutex::new(None),
        }
    }

    fn load(&self) -> Entry {
        let era = self.freshness.era();
        let (revoked, revision) = *self.database.lock().unwrap();
        let point = Point::new(era, revision);
        let stamp = self.freshness.stamp(point, &[self.key.clone(), self.owner.clone()]);
        let entry = Entry { revoked, stamp };
        *self.joined.lock().unwrap() = Some(entry.clone());
        *self.remembered.lock().unwrap() = Some(entry.clone());
        entry
    }

    /// Makes a change and makes it known, as a node does before it answers.
    fn revoke(&self, changed: &Changed) -> Revision {
        self.change(changed, true)
    }

    fn change(&self, changed: &Changed, revokes: bool) -> Revision {
        let mut database = self.database.lock().unwrap();
        *database = (database.0 || revokes, database.1 + 1);
        let revision = database.1;
        drop(database);
        // Before this point, other changes may be made and made known.
        self.freshness.made(revision, changed);
        revision
    }

    /// The record that a verification uses.
    fn known(&self) -> Entry {
        let remembered = self.remembered.lock().unwrap().clone();
        if let Some(entry) = remembered
            && self.freshness.is_current(&entry.stamp)
        {
            return entry;
        }
        let floor = self.freshness.newest();
        let joined = self.joined.lock().unwrap().take();
        let enough = |entry: &Entry| entry.stamp.point() >= floor || self.freshness.is_current(&entry.stamp);
        joined.filter(enough).unwrap_or_else(|| self.load())
    }

    /// Whether the key is revoked, as a verification finds it.
    fn verify(&self) -> bool {
        self.known().revoked
    }

    /// A session of the key's caller, unless the key is revoked.
    fn authenticate(&self) -> Option<Session> {
        let newest = self.freshness.newest();
        let entry = self.known();
        (!entry.revoked).then_some(Session { stamp: entry.stamp, newest })
    }

    /// Whether the session is valid without a new proof.
    fn is_still_valid(&self, session: &Session) -> bool {
        self.freshness.is_current(&session.stamp)
    }
}

fn key(seed: u8) -> Changed {
    Changed::Key(KeyId::new(Timestamp::from_micros(0), [seed; 10]))
}

fn explore(changed: fn(&Node) -> &Changed) {
    check(move || {
        let node = Arc::new(Node::new());
        let loading = thread::spawn({
            let node = node.clone();
            move || node.load().revoked
        });
        let verifying = thread::spawn({
            let node = node.clone();
            move || node.verify()
        });
        node.revoke(changed(&node));
        // The change is answered: every verification from now on must see it.
        assert!(node.verify(), "a revoked key came back");
        loading.join().unwrap();
        verifying.join().unwrap();
        assert!(node.verify(), "a revoked key came back later");
    });
}

/// Every interleaving with at most two preemptions.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

#[test]
fn a_change_of_the_key_is_seen_at_once() {
    explore(|node| &node.key);
}

#[test]
fn a_change_of_its_owner_is_seen_at_once() {
    explore(|node| &node.owner);
}

#[test]
fn a_change_that_may_touch_anything_is_seen_at_once() {
    explore(|_| &Changed::Everything);
}

/// Two changes, of which the second may become known first: the node that makes it has not followed the first
/// yet, or a task of one node overtakes another.
fn explore_sessions(is_valid: fn(&Node, &Session) -> bool) {
    check(move || {
        let node = Arc::new(Node::new());
        node.load();
        let revoking = thread::spawn({
            let node = node.clone();
            move || node.revoke(&node.key)
        });
        let changing = thread::spawn({
            let node = node.clone();
            move || node.change(&node.bystander, false)
        });
        let session = node.authenticate();
        revoking.join().unwrap();
        assert!(
            session.is_none_or(|session| !is_valid(&node, &session)),
            "a session of a revoked caller stays valid"
        );
        changing.join().unwrap();
        assert!(node.authenticate().is_none(), "a revoked caller is authenticated");
    });
}

#[test]
fn a_session_ends_with_its_credential_in_any_order_of_changes() {
    explore_sessions(Node::is_still_valid);
}

/// The model can fail: under the earlier rule, the session of a revoked caller stays valid.
#[test]
#[should_panic(expected = "stays valid")]
fn the_model_detects_sessions_that_compare_the_newest_change() {
    explore_sessions(|node, session| node.freshness.newest() == session.newest);
}

/// The database is restored to an earlier state, and later changes reuse revisions.
fn explore_rewind(notice: fn(&Node)) {
    check(move || {
        let node = Arc::new(Node::new());
        *node.database.lock().unwrap() = (false, 5);
        node.freshness.made(5, &node.key);
        node.load();
        let loading = thread::spawn({
            let node = node.clone();
            move || node.load().revoked
        });
        let session = node.authenticate();
        *node.database.lock().unwrap() = (true, 3);
        notice(&node);
        let revoked = node.verify();
        let is_still_valid = session.is_some_and(|session| node.is_still_valid(&session));
        loading.join().unwrap();
        assert!(revoked, "a key that was revoked after the rewind verifies");
        assert!(!is_still_valid, "a session from before the rewind is valid");
        assert!(node.verify(), "a key that was revoked after the rewind verifies later");
        // Revisions of the earlier era do not make new values stale.
        let read = node.load();
        assert!(node.freshness.is_current(&read.stamp), "a value read after the rewind is not current");
        node.change(&node.bystander, false);
        assert!(node.freshness.is_current(&read.stamp), "a change of another key makes the value stale");
        node.change(&node.key, false);
        assert!(!node.freshness.is_current(&read.stamp), "a change of the key does not make the value stale");
    });
}

#[test]
fn after_a_rewind_nothing_from_before_is_current() {
    explore_rewind(|node| node.freshness.begin_era());
}

/// The model can fail: without a new era, a change of everything at a reused revision is not enough.
#[test]
#[should_panic(expected = "verifies")]
fn the_model_detects_a_missing_era() {
    explore_rewind(|node| node.freshness.made(3, &Changed::Everything));
}

/// The model can fail: if the change is not made known, the old state comes back.
#[test]
#[should_panic(expected = "came back")]
fn the_model_detects_a_change_that_is_not_made_known() {
    check(|| {
        let node = Arc::new(Node::new());
        let loading = thread::spawn({
            let node = node.clone();
            move || node.load().revoked
        });
        *node.database.lock().unwrap() = (true, 2);
        assert!(node.verify(), "a revoked key came back");
        loading.join().unwrap();
    });
}
