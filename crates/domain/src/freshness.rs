//! What makes a remembered value current: nothing that it was made of changed after it was read.
//!
//! Every resource falls into one of a fixed number of slots, which holds the newest change of a resource of
//! it. A value knows its slots and the point that it was read at, and is believed only while that is not
//! older than any of them. So a change costs one store, a check four loads; nobody waits, nothing is
//! removed, and a load that was under way when the change came is found out by its point. Resources that
//! share a slot cost a needless load now and then, never a wrong answer.
//!
//! Revisions have an order only as long as the change log grows. When it goes backwards, a new era begins:
//! every point of it is newer than every point of the eras before, whatever the revisions are.

use std::hash::{BuildHasher, RandomState};

use crate::{
    Revision,
    changed::Changed,
    sync::{AtomicU64, Ordering::SeqCst},
};

#[derive(Debug)]
pub struct Freshness {
    slots: Box<[AtomicU64]>,
    /// The newest change that may have touched anything; its era is the present one.
    everything: AtomicU64,
    /// The newest change of all.
    newest: AtomicU64,
    hasher: RandomState,
}

/// A revision in its era.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(u64);

/// A stretch of time in which the change log only grew, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

/// What something known was made of, and when it was read. It means something only to the [`Freshness`]
/// that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub slots: [u16; 3],
    pub point: u64,
}

/// The bits of a point that hold the revision: enough for ten thousand changes a second over fifty years. The
/// bits before them count a million eras; in the last one nothing is believed any more.
const REVISION: u64 = (1 << 44) - 1;

impl Point {
    pub fn new(Era(era): Era, revision: Revision) -> Self {
        Self(era | u64::try_from(revision).unwrap_or(0).min(REVISION))
    }

    pub fn of(stamp: &Stamp) -> Self {
        Self(stamp.point)
    }

    pub fn revision(self) -> Revision {
        Revision::try_from(self.0 & REVISION).expect("it has 44 bits")
    }

    /// As an atomic holds it.
    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl Freshness {
    /// `slots` is a power of two, at most 65,536.
    pub fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two() && slots <= 1 << 16);
        Self {
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            everything: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// The stamp of a value read at `point` that is made of `key`, and of `owners`, which are at most two.
    pub fn stamp(&self, point: Point, key: &Changed, owners: &[Changed]) -> Stamp {
        let mut slots = [self.slot(key); 3];
        for (slot, owner) in slots[1..].iter_mut().zip(owners) {
            *slot = self.slot(owner);
        }
        Stamp { slots, point: point.0 }
    }

    /// From now on, nothing of what `changed` names is believed that was read before `revision`.
    pub fn made(&self, revision: Revision, changed: &Changed) {
        // If an era begins right after this, whatever is read in it is from after the change.
        let point = Point::new(self.era(), revision);
        let touched = match changed {
            Changed::Everything => &self.everything,
            changed => &self.slots[usize::from(self.slot(changed))],
        };
        touched.fetch_max(point.0, SeqCst);
        self.newest.fetch_max(point.0, SeqCst);
    }

    /// Whether a value with this stamp is as it would be read now.
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        stamp.point >= self.everything.load(SeqCst)
            && stamp.slots.iter().all(|slot| stamp.point >= self.slots[usize::from(*slot)].load(SeqCst))
    }

    /// The era in which a read that begins now takes place.
    pub fn era(&self) -> Era {
        Era(self.everything.load(SeqCst) & !REVISION)
    }

    /// From now on, nothing is believed whose reading began before.
    pub fn begin_era(&self) {
        let next = |everything: u64| Some((everything | REVISION).saturating_add(1));
        let before = self.everything.fetch_update(SeqCst, SeqCst, next).expect("it always has a next");
        self.newest.fetch_max((before | REVISION).saturating_add(1), SeqCst);
    }

    /// The newest change that was made known.
    pub fn newest(&self) -> Point {
        Point(self.newest.load(SeqCst))
    }

    fn slot(&self, changed: &Changed) -> u16 {
        let hash = self.hasher.hash_one(changed) as usize;
        u16::try_from(hash & (self.slots.len() - 1)).expect("there are at most 65,536 slots")
    }
}
