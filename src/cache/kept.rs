//! What is kept in memory, bounded: keys by their size, ids that no key has by their number.

use std::sync::Arc;

use moka::sync::Cache;

use crate::domain::{Revision, candidate::Candidate, id::KeyId};

use super::{Limits, freshness::Places};

/// What one load brought.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `None` for an id that no key has.
    pub(super) candidate: Option<Arc<Candidate>>,
    /// All changes up to this one are in it.
    pub(super) revision: Revision,
    /// The uptime when it was asked for, in microseconds.
    pub(super) loaded_at: u64,
    pub(super) places: Places,
}

pub(super) struct Kept {
    keys: Cache<KeyId, Entry, Hasher>,
    /// Kept apart, so that no flood of made-up ids pushes a key out.
    unknown: Cache<KeyId, Entry, Hasher>,
}

/// Fast, and seeded at random: nobody can make up ids that collide.
type Hasher = foldhash::quality::RandomState;

impl Kept {
    pub(super) fn new(limits: &Limits) -> Self {
        let keys = Cache::builder()
            .max_capacity(limits.capacity)
            .weigher(|_, entry: &Entry| entry.weight())
            .time_to_live(limits.time_to_live)
            .build_with_hasher(Hasher::default());
        let unknown = Cache::builder()
            .max_capacity(limits.unknown)
            .time_to_live(limits.time_to_live)
            .build_with_hasher(Hasher::default());
        Self { keys, unknown }
    }

    pub(super) fn get(&self, id: KeyId, current: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.keys.get(&id).filter(&current).or_else(|| self.unknown.get(&id).filter(&current))
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
        const BOOK_KEEPING: usize = 200;
        let candidate = self.candidate.as_ref().map_or(0, |it| it.size());
        u32::try_from(BOOK_KEEPING + size_of::<Self>() + candidate).unwrap_or(u32::MAX)
    }
}
