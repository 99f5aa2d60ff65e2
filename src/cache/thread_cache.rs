//! What one thread looked up lately: a small cache for each thread, in front of the shared one.
//!
//! A look-up here reads few lines of memory and writes none that another thread reads. An entry is checked as entries
//! anywhere else are, so an outdated one does no harm. But it keeps its key in memory after the shared cache has evicted
//! it, so each thread has a fixed number of bytes for its entries.

use std::{
    cell::RefCell,
    hash::BuildHasher,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use domain::id::KeyId;
use thread_local::ThreadLocal;

use super::entry::{Entry, Hasher};

pub(super) struct ThreadCache {
    threads: ThreadLocal<RefCell<Thread>>,
    /// How many threads may still come; any further one caches nothing.
    expected: AtomicUsize,
    /// How many cells each thread has, a power of two.
    cells: usize,
    /// How many bytes the entries of each thread may take.
    capacity: usize,
    hasher: Hasher,
}

struct Thread {
    cells: Box<[Cell]>,
    /// The bytes that its entries take.
    used: usize,
    /// The cell that was emptied last for want of capacity.
    hand: usize,
    hits: u32,
    misses: u32,
}

type Cell = Option<(KeyId, Entry)>;

/// About a megabyte a thread, which fits into the cache of a processor core.
const CELLS: usize = 1 << 14;

/// About as many bytes as a key takes: there are as many cells as such keys fit.
const TYPICAL: usize = 512;

/// One in so many hits is to be reported to the shared cache, so that its eviction sees that the key is in use.
const REPORT_EVERY: u32 = 64;

/// One in so many misses is taken in, so that keys that are rarely looked up do not evict those that are looked up all
/// the time.
const ADMIT_EVERY: u32 = 8;

/// An entry that was found.
pub(super) struct Hit {
    pub(super) entry: Entry,
    /// This hit represents many: report it to the shared cache.
    pub(super) to_report: bool,
}

impl ThreadCache {
    /// Takes `capacity` bytes in all, on so many threads.
    pub(super) fn new(capacity: u64, threads: usize) -> Self {
        let share = usize::try_from(capacity).unwrap_or(usize::MAX) / threads.max(1);
        let cells = (share / TYPICAL).clamp(2, CELLS);
        let cells = 1 << cells.ilog2();
        Self {
            threads: ThreadLocal::new(),
            expected: AtomicUsize::new(threads),
            cells,
            capacity: share.saturating_sub(cells * size_of::<Cell>()),
            hasher: Hasher::default(),
        }
    }

    pub(super) fn get(&self, id: KeyId, usable: impl Fn(&Entry) -> bool) -> Option<Hit> {
        let mut thread = self.threads.get()?.borrow_mut();
        if thread.cells.is_empty() {
            return None;
        }
        let mut candidates = self.cells_of(id).into_iter().filter_map(|at| thread.cells[at].as_ref());
        let (_, entry) = candidates.find(|(cached, entry)| *cached == id && usable(entry))?;
        let entry = entry.clone();
        thread.hits = thread.hits.wrapping_add(1);
        Some(Hit { entry, to_report: thread.hits.is_multiple_of(REPORT_EVERY) })
    }

    /// Takes `entry` in, one time in [`ADMIT_EVERY`].
    pub(super) fn offer(&self, id: KeyId, entry: &Entry) {
        let size = entry.heap_size();
        let mut thread = self.threads.get_or(|| RefCell::new(self.thread())).borrow_mut();
        let thread = &mut *thread;
        thread.misses = thread.misses.wrapping_add(1);
        // Pseudo-random, so as not to be in step with a caller that verifies the same keys in a cycle.
        let lot = thread.misses.wrapping_mul(0x9e37_79b9) >> 16;
        if !lot.is_multiple_of(ADMIT_EVERY) || thread.cells.is_empty() || size > self.capacity {
            return;
        }
        let cells = self.cells_of(id);
        let find = |wanted: &dyn Fn(&Cell) -> bool| cells.into_iter().find(|at| wanted(&thread.cells[*at]));
        let own = find(&|cell| cell.as_ref().is_some_and(|(cached, _)| *cached == id));
        let at = own
            .or_else(|| find(&Option::is_none))
            .unwrap_or(cells[(lot / ADMIT_EVERY) as usize % cells.len()]);
        thread.put(at, Some((id, entry.clone())));
        while thread.used > self.capacity {
            thread.hand = (thread.hand + 1) % self.cells;
            if thread.hand != at {
                thread.put(thread.hand, None);
            }
        }
    }

    fn thread(&self) -> Thread {
        let next = |expected: usize| expected.checked_sub(1);
        let is_expected = self.expected.fetch_update(Relaxed, Relaxed, next).is_ok();
        let cells = if is_expected { self.cells } else { 0 };
        Thread { cells: (0..cells).map(|_| None).collect(), used: 0, hand: 0, hits: 0, misses: 0 }
    }

    /// Two neighbours here and two there, so that nearly as many ids fit as there are cells.
    fn cells_of(&self, id: KeyId) -> [usize; 4] {
        let hash = self.hasher.hash_one(id);
        let [here, there] = [hash, hash >> 32].map(|part| part as usize & (self.cells - 1));
        [here, here ^ 1, there, there ^ 1]
    }
}

impl Thread {
    fn put(&mut self, at: usize, cell: Cell) {
        let size = |cell: &Cell| cell.as_ref().map_or(0, |(_, entry)| entry.heap_size());
        self.used += size(&cell);
        let evicted = std::mem::replace(&mut self.cells[at], cell);
        self.used -= size(&evicted);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        credential::Credential,
        freshness::{Freshness, Point},
        key::{Key, sample::key},
        time::Timestamp,
    };

    use super::*;
    use crate::ports::credentials::{CachedKey, EncodedKey};

    /// Capacity for more than this many threads use.
    fn roomy(threads: usize) -> ThreadCache {
        ThreadCache::new(threads as u64 * 100_000_000, threads)
    }

    fn id(seed: u16) -> KeyId {
        let [high, low] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
    }

    fn entry(point: u64) -> Entry {
        let stamp = Freshness::new(1).stamp(Point::from_bits(point), &[]);
        Entry { key: None, loaded_at: 0, stamp }
    }

    /// An entry with a key of about this many bytes.
    fn large(id: KeyId, bytes: usize) -> Entry {
        let key = Key { id, ..key(None, false) };
        let credential = Credential::new(&key, false).unwrap();
        let encoded = EncodedKey::new(&[], &vec![0; bytes]);
        Entry { key: Some(Arc::new(CachedKey { credential, encoded })), ..entry(1) }
    }

    /// Offers it until it is cached.
    fn put(cache: &ThreadCache, id: KeyId, point: u64) {
        while found(cache, id) != Some(point) {
            cache.offer(id, &entry(point));
        }
    }

    fn found(cache: &ThreadCache, id: KeyId) -> Option<u64> {
        cache.get(id, |_| true).map(|hit| hit.entry.stamp.point().bits())
    }

    #[test]
    fn finds_the_last_entry_only_on_its_own_thread() {
        let cache = roomy(2);
        assert_eq!(found(&cache, id(1)), None);
        for point in 1..4 {
            put(&cache, id(1), point);
            assert_eq!(found(&cache, id(1)), Some(point));
        }
        assert_eq!(found(&cache, id(2)), None);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(found(&cache, id(1)), None));
        });
    }

    #[test]
    fn rarely_used_keys_are_not_cached() {
        let cache = roomy(1);
        let taken = (0..8_000).map(id).filter(|id| {
            cache.offer(*id, &entry(1));
            found(&cache, *id).is_some()
        });
        assert!((900..1_100).contains(&taken.count()));
    }

    #[test]
    fn frequently_used_keys_are_cached() {
        const IDS: u16 = 10_000;
        let cache = roomy(1);
        for _ in 0..100 {
            for id in (0..IDS).map(id).filter(|id| found(&cache, *id).is_none()) {
                cache.offer(id, &entry(1));
            }
        }
        let missing = (0..IDS).map(id).filter(|id| found(&cache, *id).is_none()).count();
        assert!(missing < usize::from(IDS) / 50, "{missing} of them are missing");
    }

    #[test]
    fn unusable_entries_are_not_found() {
        let cache = roomy(1);
        put(&cache, id(1), 7);
        assert!(cache.get(id(1), |entry| entry.stamp.point().bits() > 7).is_none());
        assert!(cache.get(id(1), |entry| entry.stamp.point().bits() == 7).is_some());
    }

    #[test]
    fn a_full_cache_accepts_new_entries() {
        let cache = roomy(1);
        for seed in 0..u16::MAX {
            put(&cache, id(seed), seed.into());
        }
        let kept = (0..u16::MAX).filter(|seed| found(&cache, id(*seed)).is_some()).count();
        assert!((CELLS * 9 / 10..=CELLS).contains(&kept), "{kept}");
    }

    #[test]
    fn every_64th_hit_is_reported() {
        let cache = roomy(1);
        put(&cache, id(1), 1);
        let reported = (0..10 * REPORT_EVERY).filter(|_| cache.get(id(1), |_| true).unwrap().to_report);
        assert_eq!(reported.count(), 10);
    }

    /// For any size of keys and any number of threads.
    #[test]
    fn the_capacity_is_never_exceeded() {
        const CAPACITY: usize = 1 << 20;
        for bytes in [0, 1000, 20_000, 100_000, 10_000_000] {
            let cache = ThreadCache::new(CAPACITY as u64, 4);
            std::thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| {
                        let entry = large(id(0), bytes);
                        for id in (0..20_000).map(id) {
                            cache.offer(id, &entry);
                        }
                        // Wait for all, so that no thread is reused for two of them.
                        while cache.expected.load(Relaxed) > 0 {
                            std::thread::yield_now();
                        }
                    });
                }
            });
            let held = |thread: &RefCell<Thread>| {
                let thread = thread.borrow();
                let keys = thread.cells.iter().flatten().map(|(_, entry)| entry.heap_size());
                let keys = keys.sum::<usize>();
                assert_eq!(keys, thread.used, "the entry is counted");
                size_of_val(&*thread.cells) + keys
            };
            let held: usize = cache.threads.into_iter().map(|thread| held(&thread)).sum();
            assert!(held <= CAPACITY, "{held} bytes in keys of {bytes}");
            // With the smallest keys the places run out first.
            let enough = if bytes < 50_000 { CAPACITY / 4 } else { 0 };
            assert!(held >= enough, "{held} bytes in keys of {bytes}");
        }
    }

    #[test]
    fn too_large_entries_are_not_cached_and_new_ones_are() {
        let cache = ThreadCache::new(40_000, 1);
        for id in (0..1000).map(id) {
            while found(&cache, id).is_none() {
                cache.offer(id, &large(id, 10_000));
            }
        }
        for _ in 0..100 {
            cache.offer(id(1), &large(id(1), 40_000));
        }
        assert_eq!(found(&cache, id(1)), None);
        assert_eq!(found(&cache, id(999)), Some(1));
    }
}
