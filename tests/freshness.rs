//! The promise of the cache under every interleaving: no verification that starts after a change was
//! answered is decided on the state before it, a load that was under way included.
//!
//! The rule under test is the cache's own code; only its atomics are the model checker's. What stands
//! around it (database, memory, one load that others may join) is as small as it can be.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/cache/freshness.rs"]
mod freshness;

/// What `src/cache/sync.rs` is to the cache.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicI64, Ordering};
}

pub(crate) use keystile::domain;

use domain::{Revision, changed::Changed, id::KeyId, time::Timestamp};
use freshness::{Freshness, Places};
use loom::{
    sync::{Arc, Mutex},
    thread,
};

/// A key's record, read at a revision.
#[derive(Debug, Clone, Copy)]
struct Entry {
    revoked: bool,
    revision: Revision,
    places: Places,
}

struct Node {
    freshness: Freshness,
    key: Changed,
    owner: Changed,
    /// Whether the key is revoked, and since which revision all is as it is.
    database: Mutex<(bool, Revision)>,
    remembered: Mutex<Option<Entry>>,
    /// The result of a load that whoever comes in time may share.
    joined: Mutex<Option<Entry>>,
}

impl Node {
    fn new() -> Self {
        Self {
            freshness: Freshness::new(1),
            key: Changed::Key(KeyId::new(Timestamp::from_micros(0), [1; 10])),
            owner: Changed::Project("acme".parse().unwrap()),
            database: Mutex::new((false, 1)),
            remembered: Mutex::new(None),
            joined: Mutex::new(None),
        }
    }

    fn load(&self) -> Entry {
        let (revoked, revision) = *self.database.lock().unwrap();
        let places = self.freshness.places(&self.key, std::slice::from_ref(&self.owner));
        let entry = Entry { revoked, revision, places };
        *self.joined.lock().unwrap() = Some(entry);
        *self.remembered.lock().unwrap() = Some(entry);
        entry
    }

    /// Makes a change, and answers it.
    fn revoke(&self, changed: &Changed) -> Revision {
        let mut database = self.database.lock().unwrap();
        *database = (true, database.1 + 1);
        let revision = database.1;
        drop(database);
        self.freshness.made(revision, changed);
        revision
    }

    /// Whether the key is revoked, as a verification finds it.
    fn verify(&self) -> bool {
        let remembered = *self.remembered.lock().unwrap();
        if let Some(entry) = remembered
            && self.freshness.is_current(&entry.places, entry.revision)
        {
            return entry.revoked;
        }
        let floor = self.freshness.newest();
        let joined = self.joined.lock().unwrap().take();
        let enough = |entry: &Entry| {
            entry.revision >= floor || self.freshness.is_current(&entry.places, entry.revision)
        };
        joined.filter(enough).unwrap_or_else(|| self.load()).revoked
    }
}

fn explore(changed: fn(&Node) -> &Changed) {
    check(move || {
        let node = Arc::new(Node::new());
        let loading = thread::spawn({
            let node = node.clone();
            move || node.load().revision
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

/// The model can fail: without word of the change, the old state does come back.
#[test]
#[should_panic(expected = "came back")]
fn the_model_notices_a_cache_that_is_not_told() {
    check(|| {
        let node = Arc::new(Node::new());
        let loading = thread::spawn({
            let node = node.clone();
            move || node.load().revision
        });
        *node.database.lock().unwrap() = (true, 2);
        assert!(node.verify(), "a revoked key came back");
        loading.join().unwrap();
    });
}
