//! What one thread looked up lately: the cache in front of the cache.
//!
//! A look-up here reads few lines of memory and writes none that another thread reads. An entry is believed
//! on the same terms as anywhere else, so one that is out of date does no harm. But it keeps its key in memory
//! when the cache behind has let go of it, so each thread has room for so many bytes and no more.

use std::{
    cell::RefCell,
    hash::BuildHasher,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use domain::id::KeyId;
use thread_local::ThreadLocal;

use super::kept::{Entry, Hasher};

pub(super) struct Front {
    threads: ThreadLocal<RefCell<Thread>>,
    /// How many threads may still come; any further one keeps nothing.
    expected: AtomicUsize,
    /// How many places each has, a power of two.
    places: usize,
    /// How many bytes the entries of each may keep.
    room: usize,
    hasher: Hasher,
}

struct Thread {
    places: Box<[Place]>,
    /// The bytes that its entries keep.
    held: usize,
    /// The place that was emptied last for want of room.
    hand: usize,
    found: u32,
    missed: u32,
}

type Place = Option<(KeyId, Entry)>;

/// About a megabyte a thread, which a processor's own cache holds.
const PLACES: usize = 1 << 14;

/// About as many bytes as a key keeps: there are as many places as such keys have room.
const TYPICAL: usize = 512;

/// How many that are found stand for one that is worth telling of.
const TELLING: u32 = 64;

/// Of so many that are not found, one is put in, so that what is asked for now and then does not push out what is
/// asked for all the time.
const TAKING: u32 = 8;

/// An entry that was found.
pub(super) struct Found {
    pub(super) entry: Entry,
    /// Whoever decides by use what is kept should hear of this one, which stands for others.
    pub(super) telling: bool,
}

impl Front {
    /// Takes `capacity` bytes in all, on so many threads.
    pub(super) fn new(capacity: u64, threads: usize) -> Self {
        let share = usize::try_from(capacity).unwrap_or(usize::MAX) / threads.max(1);
        let places = (share / TYPICAL).clamp(2, PLACES);
        let places = 1 << places.ilog2();
        Self {
            threads: ThreadLocal::new(),
            expected: AtomicUsize::new(threads),
            places,
            room: share.saturating_sub(places * size_of::<Place>()),
            hasher: Hasher::default(),
        }
    }

    pub(super) fn get(&self, id: KeyId, believed: impl Fn(&Entry) -> bool) -> Option<Found> {
        let mut thread = self.threads.get()?.borrow_mut();
        if thread.places.is_empty() {
            return None;
        }
        let mut known = self.places(id).into_iter().filter_map(|at| thread.places[at].as_ref());
        let (_, entry) = known.find(|(kept, entry)| *kept == id && believed(entry))?;
        let entry = entry.clone();
        thread.found = thread.found.wrapping_add(1);
        Some(Found { entry, telling: thread.found.is_multiple_of(TELLING) })
    }

    /// Puts `entry` in, now and then.
    pub(super) fn offer(&self, id: KeyId, entry: &Entry) {
        let size = entry.points_to();
        let mut thread = self.threads.get_or(|| RefCell::new(self.thread())).borrow_mut();
        let thread = &mut *thread;
        thread.missed = thread.missed.wrapping_add(1);
        // Not in step with whoever asks for the same ids over and over.
        let lot = thread.missed.wrapping_mul(0x9e37_79b9) >> 16;
        if !lot.is_multiple_of(TAKING) || thread.places.is_empty() || size > self.room {
            return;
        }
        let places = self.places(id);
        let find =
            |wanted: &dyn Fn(&Place) -> bool| places.into_iter().find(|at| wanted(&thread.places[*at]));
        let own = find(&|place| place.as_ref().is_some_and(|(kept, _)| *kept == id));
        let at =
            own.or_else(|| find(&Option::is_none)).unwrap_or(places[(lot / TAKING) as usize % places.len()]);
        thread.put(at, Some((id, entry.clone())));
        while thread.held > self.room {
            thread.hand = (thread.hand + 1) % self.places;
            if thread.hand != at {
                thread.put(thread.hand, None);
            }
        }
    }

    fn thread(&self) -> Thread {
        let next = |expected: usize| expected.checked_sub(1);
        let is_expected = self.expected.fetch_update(Relaxed, Relaxed, next).is_ok();
        let places = if is_expected { self.places } else { 0 };
        Thread { places: (0..places).map(|_| None).collect(), held: 0, hand: 0, found: 0, missed: 0 }
    }

    /// Two neighbours here and two there: so there is room for nearly as many ids as there are places.
    fn places(&self, id: KeyId) -> [usize; 4] {
        let hash = self.hasher.hash_one(id);
        let [here, there] = [hash, hash >> 32].map(|part| part as usize & (self.places - 1));
        [here, here ^ 1, there, there ^ 1]
    }
}

impl Thread {
    fn put(&mut self, at: usize, place: Place) {
        let held = |place: &Place| place.as_ref().map_or(0, |(_, entry)| entry.points_to());
        self.held += held(&place);
        let gone = std::mem::replace(&mut self.places[at], place);
        self.held -= held(&gone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        candidate::Candidate,
        freshness::Stamp,
        key::{Key, sample::key},
        time::Timestamp,
    };

    use super::*;

    /// Room for more than a thread takes, on so many threads.
    fn roomy(threads: usize) -> Front {
        Front::new(threads as u64 * 100_000_000, threads)
    }

    fn id(seed: u16) -> KeyId {
        let [high, low] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
    }

    fn entry(point: u64) -> Entry {
        Entry { candidate: None, loaded_at: 0, stamp: Stamp { slots: [0; 3], point } }
    }

    /// An entry that keeps a key of about so many bytes.
    fn large(id: KeyId, bytes: usize) -> Entry {
        let key = Key { id, ..key(None, false) };
        let candidate = Candidate::new(&key, false, &vec![0; bytes]).unwrap();
        Entry { candidate: Some(Arc::new(candidate)), ..entry(1) }
    }

    /// Offers it until it is taken.
    fn put(front: &Front, id: KeyId, point: u64) {
        while found(front, id) != Some(point) {
            front.offer(id, &entry(point));
        }
    }

    fn found(front: &Front, id: KeyId) -> Option<u64> {
        front.get(id, |_| true).map(|found| found.entry.stamp.point)
    }

    #[test]
    fn finds_what_was_put_last_and_only_where_it_was_put() {
        let front = roomy(2);
        assert_eq!(found(&front, id(1)), None);
        for point in 1..4 {
            put(&front, id(1), point);
            assert_eq!(found(&front, id(1)), Some(point));
        }
        assert_eq!(found(&front, id(2)), None);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(found(&front, id(1)), None));
        });
    }

    #[test]
    fn what_is_asked_for_now_and_then_stays_out() {
        let front = roomy(1);
        let taken = (0..8_000).map(id).filter(|id| {
            front.offer(*id, &entry(1));
            found(&front, *id).is_some()
        });
        assert!((900..1_100).contains(&taken.count()));
    }

    #[test]
    fn those_that_are_asked_for_over_and_over_find_room() {
        const IDS: u16 = 10_000;
        let front = roomy(1);
        for _ in 0..100 {
            for id in (0..IDS).map(id).filter(|id| found(&front, *id).is_none()) {
                front.offer(id, &entry(1));
            }
        }
        let missing = (0..IDS).map(id).filter(|id| found(&front, *id).is_none()).count();
        assert!(missing < usize::from(IDS) / 50, "{missing} of them are missing");
    }

    #[test]
    fn what_is_not_believed_is_not_found() {
        let front = roomy(1);
        put(&front, id(1), 7);
        assert!(front.get(id(1), |entry| entry.stamp.point > 7).is_none());
        assert!(front.get(id(1), |entry| entry.stamp.point == 7).is_some());
    }

    #[test]
    fn there_is_always_room_for_one_more() {
        let front = roomy(1);
        for seed in 0..u16::MAX {
            put(&front, id(seed), seed.into());
        }
        let kept = (0..u16::MAX).filter(|seed| found(&front, id(*seed)).is_some()).count();
        assert!((PLACES * 9 / 10..=PLACES).contains(&kept), "{kept}");
    }

    #[test]
    fn one_of_many_that_are_found_is_told_of() {
        let front = roomy(1);
        put(&front, id(1), 1);
        let told = (0..10 * TELLING).filter(|_| front.get(id(1), |_| true).unwrap().telling);
        assert_eq!(told.count(), 10);
    }

    /// However large the keys are, and however many threads there are.
    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        const CAPACITY: usize = 1 << 20;
        for bytes in [0, 1000, 20_000, 100_000, 10_000_000] {
            let front = Front::new(CAPACITY as u64, 4);
            std::thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| {
                        let entry = large(id(0), bytes);
                        for id in (0..20_000).map(id) {
                            front.offer(id, &entry);
                        }
                        // Until all had their turn, so that no two of them are the same thread.
                        while front.expected.load(Relaxed) > 0 {
                            std::thread::yield_now();
                        }
                    });
                }
            });
            let held = |thread: &RefCell<Thread>| {
                let thread = thread.borrow();
                let keys = thread.places.iter().flatten().map(|(_, entry)| entry.points_to());
                let keys = keys.sum::<usize>();
                assert_eq!(keys, thread.held, "it is counted");
                size_of_val(&*thread.places) + keys
            };
            let held: usize = front.threads.into_iter().map(|thread| held(&thread)).sum();
            assert!(held <= CAPACITY, "{held} bytes in keys of {bytes}");
            // The smallest run out of places first.
            let enough = if bytes < 50_000 { CAPACITY / 4 } else { 0 };
            assert!(held >= enough, "{held} bytes in keys of {bytes}");
        }
    }

    #[test]
    fn what_is_too_large_stays_out_and_what_is_new_finds_room() {
        let front = Front::new(40_000, 1);
        for id in (0..1000).map(id) {
            while found(&front, id).is_none() {
                front.offer(id, &large(id, 10_000));
            }
        }
        for _ in 0..100 {
            front.offer(id(1), &large(id(1), 40_000));
        }
        assert_eq!(found(&front, id(1)), None);
        assert_eq!(found(&front, id(999)), Some(1));
    }
}
