//! What is kept in memory, bounded: keys by their size, ids that no key has by their number.

use std::sync::Arc;

use domain::{candidate::Candidate, freshness::Stamp, id::KeyId};
use moka::sync::Cache;

use super::{Limits, front::Front};

/// What one load brought.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `None` for an id that no key has.
    pub(super) candidate: Option<Arc<Candidate>>,
    /// The uptime when it was asked for, in microseconds.
    pub(super) loaded_at: u64,
    pub(super) stamp: Stamp,
}

pub(super) struct Kept {
    front: Front,
    keys: Cache<KeyId, Entry, Hasher>,
    /// Kept apart, so that no flood of made-up ids pushes a key out.
    unknown: Cache<KeyId, Entry, Hasher>,
}

/// Fast, and seeded at random: nobody can make up ids that collide.
pub(super) type Hasher = foldhash::quality::RandomState;

impl Kept {
    /// For look-ups on so many threads.
    pub(super) fn new(limits: &Limits, threads: usize) -> Self {
        // What threads keep in front may be gone from behind, so it has a share of the capacity.
        let front = limits.capacity / 8;
        let keys = Cache::builder()
            .max_capacity(limits.capacity - front)
            .weigher(|_, entry: &Entry| entry.weight())
            .build_with_hasher(Hasher::default());
        let unknown = Cache::builder().max_capacity(limits.unknown).build_with_hasher(Hasher::default());
        Self { front: Front::new(front, threads), keys, unknown }
    }

    /// Gives the memory back that is held by entries which nobody believes any more.
    pub(super) fn clear(&self) {
        self.keys.invalidate_all();
        self.unknown.invalidate_all();
    }

    /// What is kept of `id` that may be believed.
    pub(super) fn get(&self, id: KeyId, believed: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if let Some(found) = self.front.get(id, &believed) {
            if found.telling {
                self.keys.get(&id);
            }
            return Some(found.entry);
        }
        if let Some(entry) = self.keys.get(&id).filter(&believed) {
            self.front.offer(id, &entry);
            return Some(entry);
        }
        self.unknown.get(&id).filter(&believed)
    }

    pub(super) fn put(&self, id: KeyId, entry: Entry) {
        if entry.candidate.is_some() {
            self.keys.insert(id, entry);
        } else {
            self.keys.invalidate(&id);
            self.unknown.insert(id, entry);
        }
    }
}

impl Entry {
    /// Its share of the capacity: itself, what it points to, and the cache's own book-keeping.
    fn weight(&self) -> u32 {
        const BOOK_KEEPING: usize = 290;
        u32::try_from(BOOK_KEEPING + size_of::<Self>() + self.points_to()).unwrap_or(u32::MAX)
    }

    /// The bytes that it keeps in memory beside itself.
    pub(super) fn points_to(&self) -> usize {
        self.candidate.as_ref().map_or(0, |it| it.size())
    }
}
