//! The entries in memory, bounded: keys by their size, ids that no key has by their number.

use domain::id::KeyId;
use moka::sync::Cache;

use super::{
    Limits,
    entry::{Entry, Hasher},
    thread_cache::ThreadCache,
};

pub(super) struct Entries {
    thread_cache: ThreadCache,
    keys: Cache<KeyId, Entry, Hasher>,
    /// Apart from the keys, so that no flood of made-up ids evicts a key.
    unknown: Cache<KeyId, Entry, Hasher>,
}

impl Entries {
    /// For look-ups on so many threads.
    pub(super) fn new(limits: &Limits, threads: usize) -> Self {
        // Threads may keep entries that the shared cache evicted, so they have a part of the capacity.
        let for_threads = limits.capacity / 8;
        let keys = Cache::builder()
            .max_capacity(limits.capacity - for_threads)
            .weigher(|_, entry: &Entry| weight(entry))
            .build_with_hasher(Hasher::default());
        let unknown = Cache::builder().max_capacity(limits.unknown).build_with_hasher(Hasher::default());
        Self { thread_cache: ThreadCache::new(for_threads, threads), keys, unknown }
    }

    /// Frees the memory of entries that are no longer current.
    pub(super) fn clear(&self) {
        self.keys.invalidate_all();
        self.unknown.invalidate_all();
    }

    /// The entry of `id`, if it is `usable`.
    pub(super) fn get(&self, id: KeyId, usable: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if let Some(hit) = self.thread_cache.get(id, &usable) {
            if hit.to_report {
                self.keys.get(&id);
            }
            return Some(hit.entry);
        }
        if let Some(entry) = self.keys.get(&id).filter(&usable) {
            self.thread_cache.offer(id, &entry);
            return Some(entry);
        }
        self.unknown.get(&id).filter(&usable)
    }

    pub(super) fn put(&self, id: KeyId, entry: Entry) {
        if entry.key.is_some() {
            self.keys.insert(id, entry);
        } else {
            self.keys.invalidate(&id);
            self.unknown.insert(id, entry);
        }
    }
}

/// What counts against the capacity: the entry with what it points to, and the bookkeeping of moka.
fn weight(entry: &Entry) -> u32 {
    const BOOKKEEPING: usize = 290;
    let bytes = BOOKKEEPING + size_of::<Entry>() + entry.heap_size() + entry.profile_share();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
