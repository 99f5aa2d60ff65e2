//! The promise of the cache under every interleaving: no verification that starts after a change was
//! answered is decided on the state before it, a load that was under way included; no session outlives what
//! proved it; and when the change log goes backwards, nothing from before is believed.
//!
//! The rule under test is the crate's own code; with `--cfg loom` its atomics are the model checker's. What stands
//! around it (database, memory, one load that others may join) is as small as it can be.

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

/// A key's record, with when it was read.
#[derive(Debug, Clone)]
struct Entry {
    revoked: bool,
    stamp: Stamp,
}

/// A caller that was let in.
struct Session {
    stamp: Stamp,
    /// The newest change when it was proven, by which sessions went once.
    newest: Point,
}

struct Node {
    freshness: Freshness,
    key: Changed,
    owner: Changed,
    /// A key that shares no slot with the other.
    bystander: Changed,
    /// Whether the key is revoked, and since which revision all is as it is.
    database: Mutex<(bool, Revision)>,
    remembered: Mutex<Option<Entry>>,
    /// The result of a load that whoever comes in time may share.
    joined: Mutex<Option<Entry>>,
}

impl Node {
    fn new() -> Self {
        let freshness = Freshness::new(2);
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
            // Where none of them falls into the slot, the key's own will do.
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

    /// Makes a change, and answers it.
    fn revoke(&self, changed: &Changed) -> Revision {
        self.change(changed, true)
    }

    fn change(&self, changed: &Changed, revokes: bool) -> Revision {
        let mut database = self.database.lock().unwrap();
        *database = (database.0 || revokes, database.1 + 1);
        let revision = database.1;
        drop(database);
        // Until it gets here, other changes may be made and made known.
        self.freshness.made(revision, changed);
        revision
    }

    /// What a verification finds.
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

    /// Lets the key's caller in, unless it is revoked.
    fn authenticate(&self) -> Option<Session> {
        let newest = self.freshness.newest();
        let entry = self.known();
        (!entry.revoked).then_some(Session { stamp: entry.stamp, newest })
    }

    /// Whether the caller is let in without a new proof.
    fn stands(&self, session: &Session) -> bool {
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
        // It was answered: whatever starts now must see it.
        assert!(node.verify(), "a revoked key came back");
        loading.join().unwrap();
        verifying.join().unwrap();
        assert!(node.verify(), "a revoked key came back later");
    });
}

/// Every interleaving in which threads cut each other short at most twice.
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

/// Two changes, of which the second may be made known first: by the node that makes it and has not followed the other
/// yet, or by a task of one node that overtakes another.
fn explore_sessions(goes_on: fn(&Node, &Session) -> bool) {
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
        assert!(session.is_none_or(|session| !goes_on(&node, &session)), "a revoked caller stays in");
        changing.join().unwrap();
        assert!(node.authenticate().is_none(), "a revoked caller comes back");
    });
}

#[test]
fn a_session_ends_with_what_proved_it_in_whatever_order_changes_come() {
    explore_sessions(Node::stands);
}

/// The model can fail: by the rule that sessions went by once, a revoked caller stays in.
#[test]
#[should_panic(expected = "stays in")]
fn the_model_notices_a_session_that_goes_by_the_newest_change() {
    explore_sessions(|node, session| node.freshness.newest() == session.newest);
}

/// The database is put back to an earlier state, and what happens then takes revisions that were given before.
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
        let stands = session.is_some_and(|session| node.stands(&session));
        loading.join().unwrap();
        assert!(revoked, "a key that is revoked since is believed");
        assert!(!stands, "a session of before goes on");
        assert!(node.verify(), "a key that is revoked since is believed later");
        // The revisions of before are in nobody's way.
        let read = node.load();
        assert!(node.freshness.is_current(&read.stamp), "what is read now is not believed");
        node.change(&node.bystander, false);
        assert!(node.freshness.is_current(&read.stamp), "a change of something else matters");
        node.change(&node.key, false);
        assert!(!node.freshness.is_current(&read.stamp), "a change of the key does not matter");
    });
}

#[test]
fn when_the_log_goes_backwards_nothing_of_before_is_believed() {
    explore_rewind(|node| node.freshness.begin_era());
}

/// The model can fail: that everything changed, at a revision that was given before, is not enough.
#[test]
#[should_panic(expected = "is believed")]
fn the_model_notices_an_era_that_does_not_begin() {
    explore_rewind(|node| node.freshness.made(3, &Changed::Everything));
}

/// The model can fail: without word of the change, the old state does come back.
#[test]
#[should_panic(expected = "came back")]
fn the_model_notices_a_cache_that_is_not_told() {
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
