//! What makes a remembered value current: nothing that it was made of changed after it was read.
//!
//! Every resource falls into one of a fixed number of slots, which holds the newest revision that changed
//! a resource of it. A value knows its slots and the revision that it was read at, and is believed only
//! while that is not older than any of them. So a change costs one store, a check three loads; nobody
//! waits, nothing is removed, and a load that was under way when the change came is found out by its
//! revision. Resources that share a slot cost a needless load now and then, never a wrong answer.

use std::hash::{BuildHasher, RandomState};

use crate::domain::{Revision, changed::Changed};

use super::sync::{AtomicI64, Ordering::SeqCst};

#[derive(Debug)]
pub(super) struct Freshness {
    slots: Box<[AtomicI64]>,
    /// The newest change that may have touched anything.
    everything: AtomicI64,
    /// The newest change of all.
    newest: AtomicI64,
    hasher: RandomState,
}

/// The slots of what a value was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places([u16; 3]);

impl Freshness {
    /// `slots` is a power of two, at most 65,536.
    pub(super) fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two() && slots <= 1 << 16);
        Self {
            slots: (0..slots).map(|_| AtomicI64::new(0)).collect(),
            everything: AtomicI64::new(0),
            newest: AtomicI64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// The places of a value made of `key`, and of `owners`, which are at most two.
    pub(super) fn places(&self, key: &Changed, owners: &[Changed]) -> Places {
        let mut places = [self.slot(key); 3];
        for (place, owner) in places[1..].iter_mut().zip(owners) {
            *place = self.slot(owner);
        }
        Places(places)
    }

    /// From now on, nothing of what `changed` names is believed that was read before `revision`.
    pub(super) fn made(&self, revision: Revision, changed: &Changed) {
        let touched = match changed {
            Changed::Everything => &self.everything,
            changed => &self.slots[usize::from(self.slot(changed))],
        };
        touched.fetch_max(revision, SeqCst);
        self.newest.fetch_max(revision, SeqCst);
    }

    /// Whether a value that was read at `revision` is as it would be read now.
    pub(super) fn is_current(&self, places: &Places, revision: Revision) -> bool {
        revision >= self.everything.load(SeqCst)
            && places.0.iter().all(|place| revision >= self.slots[usize::from(*place)].load(SeqCst))
    }

    /// The newest change that was made known.
    pub(super) fn newest(&self) -> Revision {
        self.newest.load(SeqCst)
    }

    fn slot(&self, changed: &Changed) -> u16 {
        let hash = self.hasher.hash_one(changed) as usize;
        u16::try_from(hash & (self.slots.len() - 1)).expect("there are at most 65,536 slots")
    }
}
