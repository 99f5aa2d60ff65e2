//! A remembered value is current while nothing that it depends on changed after it was read.
//!
//! Every resource hashes to one of a fixed number of slots, which holds the newest change of any resource in
//! it. The stamp of a value has the slots that the value depends on and the point at which it was read; the value is
//! current only while that point is not older than any of the slots. So a change costs one atomic store, and a check
//! one load for each slot and one more. Nothing waits and nothing is removed, and a read that was under way when the
//! change came is detected by its point. Two resources in one slot cost a needless read now and then, never a wrong
//! answer.
//!
//! Revisions are ordered only as long as the change log grows. When it goes backwards, a new era begins:
//! each of its points is newer than all points of the eras before, whatever their revisions are.

mod stamp;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    Revision,
    changed::Changed,
    sync::{AtomicU64, Ordering::SeqCst},
};

pub use stamp::Stamp;

#[derive(Debug)]
pub struct Freshness {
    slots: Box<[AtomicU64]>,
    /// The newest change that may have touched anything; its era is the present one.
    everything: AtomicU64,
    /// The newest change of all.
    newest: AtomicU64,
    /// Secret, so that nobody can choose names that share a slot with another tenant's.
    seed: u64,
}

/// A revision in its era.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(u64);

/// A stretch of time in which the change log only grew, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

/// The bits of a point that hold the revision: enough for ten thousand changes a second over fifty years. The
/// bits before them count a million eras; in the last one nothing is ever current.
const REVISION: u64 = (1 << 44) - 1;

impl Point {
    pub fn new(Era(era): Era, revision: Revision) -> Self {
        Self(era | u64::try_from(revision).unwrap_or(0).min(REVISION))
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
    /// `slots` is a power of two, at most 65,536. The random `seed` decides which resources share one.
    pub fn new(slots: usize, seed: u64) -> Self {
        assert!(slots.is_power_of_two() && slots <= 1 << 16);
        Self {
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            everything: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            seed,
        }
    }

    /// The stamp of a value that was read at `point` and depends on all of `resources`.
    pub fn stamp(&self, point: Point, resources: &[Changed]) -> Stamp {
        Stamp::new(point, resources.iter().map(|resource| self.slot(resource)))
    }

    /// From now on, no value that depends on `changed` and was read before `revision` is current.
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

    /// Whether a value with this stamp is the same as one that is read now.
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        let Point(point) = stamp.point;
        point >= self.everything.load(SeqCst)
            && stamp.slots().iter().all(|slot| point >= self.slots[usize::from(*slot)].load(SeqCst))
    }

    /// The era in which a read that begins now takes place.
    pub fn era(&self) -> Era {
        Era(self.everything.load(SeqCst) & !REVISION)
    }

    /// From now on, no value whose read began before is current.
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
        let mut hasher = DefaultHasher::new();
        (self.seed, changed).hash(&mut hasher);
        u16::try_from(hasher.finish() as usize & (self.slots.len() - 1))
            .expect("there are at most 65,536 slots")
    }
}
