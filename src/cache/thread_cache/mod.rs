//! What one thread looked up lately: a small cache for each thread, in front of the shared one.
//!
//! A look-up here reads few lines of memory and writes none that another thread reads. An entry is checked as entries
//! anywhere else are, so an outdated one does no harm. But it keeps its key in memory after the shared cache has evicted
//! it, so each thread has a fixed number of bytes for its entries.

#[cfg(test)]
mod tests;

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

type Cell = Option<Cached>;

struct Cached {
    id: KeyId,
    entry: Entry,
    /// The bytes that it took when it was measured, its share of the profile included.
    size: u32,
}

/// About a megabyte a thread, which fits into the cache of a processor core.
const CELLS: usize = 1 << 14;

/// About as many bytes as a key takes: there are as many cells as such keys fit.
const TYPICAL: usize = 512;

/// One in so many hits is to be reported to the shared cache, so that its eviction sees that the key is in use. The entry is
/// measured again, because what its key may do can have grown.
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
        let usable = |cached: &Cached| cached.id == id && usable(&cached.entry);
        let mut candidates = self.cells_of(id).into_iter();
        let (at, entry) = candidates.find_map(|at| {
            let found = thread.cells[at].as_ref().filter(|cached| usable(cached))?;
            Some((at, found.entry.clone()))
        })?;
        thread.hits = thread.hits.wrapping_add(1);
        let to_report = thread.hits.is_multiple_of(REPORT_EVERY);
        if to_report {
            thread.measure(at, self.capacity);
        }
        Some(Hit { entry, to_report })
    }

    /// Takes `entry` in, one time in [`ADMIT_EVERY`].
    pub(super) fn offer(&self, id: KeyId, entry: &Entry) {
        let mut thread = self.threads.get_or(|| RefCell::new(self.thread())).borrow_mut();
        let thread = &mut *thread;
        thread.misses = thread.misses.wrapping_add(1);
        // Pseudo-random, so as not to be in step with a caller that verifies the same keys in a cycle.
        let lot = thread.misses.wrapping_mul(0x9e37_79b9) >> 16;
        if !lot.is_multiple_of(ADMIT_EVERY) || thread.cells.is_empty() {
            return;
        }
        let size = size(entry);
        if size as usize > self.capacity {
            return;
        }
        let cells = self.cells_of(id);
        let find = |wanted: &dyn Fn(&Cell) -> bool| cells.into_iter().find(|at| wanted(&thread.cells[*at]));
        let own = find(&|cell| cell.as_ref().is_some_and(|cached| cached.id == id));
        let at = own
            .or_else(|| find(&Option::is_none))
            .unwrap_or(cells[(lot / ADMIT_EVERY) as usize % cells.len()]);
        thread.put(at, Cached { id, entry: entry.clone(), size }, self.capacity);
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
    /// Replaces a cell by what fits into `capacity`; others make room for it.
    fn put(&mut self, at: usize, cached: Cached, capacity: usize) {
        self.replace(at, Some(cached));
        while self.used > capacity {
            self.hand = (self.hand + 1) % self.cells.len();
            if self.hand != at {
                self.replace(self.hand, None);
            }
        }
    }

    /// Counts what the entry in this cell takes by now, and drops it if it does not fit any more.
    fn measure(&mut self, at: usize, capacity: usize) {
        let Some(cached) = self.replace(at, None) else { return };
        let size = size(&cached.entry);
        if size as usize <= capacity {
            self.put(at, Cached { size, ..cached }, capacity);
        }
    }

    /// Returns what was in the cell.
    fn replace(&mut self, at: usize, cell: Cell) -> Cell {
        let size = |cell: &Cell| cell.as_ref().map_or(0, |cached| cached.size as usize);
        self.used += size(&cell);
        let evicted = std::mem::replace(&mut self.cells[at], cell);
        self.used -= size(&evicted);
        evicted
    }
}

/// The bytes that `entry` takes, its share of the profile included.
fn size(entry: &Entry) -> u32 {
    u32::try_from(entry.heap_size() + entry.profile_share()).unwrap_or(u32::MAX)
}
