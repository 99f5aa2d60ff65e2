//! What one thread looked up lately: the cache in front of the cache.
//!
//! A look-up here reads few lines of memory and writes none that another thread reads. An entry is believed
//! on the same terms as anywhere else, so one that is out of date does no harm.

use std::{cell::RefCell, hash::BuildHasher};

use thread_local::ThreadLocal;

use crate::domain::id::KeyId;

use super::kept::{Entry, Hasher};

#[derive(Default)]
pub(super) struct Front {
    threads: ThreadLocal<RefCell<Thread>>,
    hasher: Hasher,
}

struct Thread {
    places: Box<[Place]>,
    found: u32,
    missed: u32,
}

type Place = Option<(KeyId, Entry)>;

/// Three quarters of a megabyte a thread, which a processor's own cache holds.
const PLACES: usize = 1 << 14;

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
    pub(super) fn get(&self, id: KeyId, believed: impl Fn(&Entry) -> bool) -> Option<Found> {
        let mut thread = self.threads.get()?.borrow_mut();
        let mut known = self.places(id).into_iter().filter_map(|at| thread.places[at].as_ref());
        let (_, entry) = known.find(|(kept, entry)| *kept == id && believed(entry))?;
        let entry = entry.clone();
        thread.found = thread.found.wrapping_add(1);
        Some(Found { entry, telling: thread.found.is_multiple_of(TELLING) })
    }

    /// Puts `entry` in, now and then.
    pub(super) fn offer(&self, id: KeyId, entry: &Entry) {
        let mut thread = self.threads.get_or_default().borrow_mut();
        thread.missed = thread.missed.wrapping_add(1);
        // Not in step with whoever asks for the same ids over and over.
        let lot = thread.missed.wrapping_mul(0x9e37_79b9) >> 16;
        if !lot.is_multiple_of(TAKING) {
            return;
        }
        let places = self.places(id);
        let find =
            |wanted: &dyn Fn(&Place) -> bool| places.into_iter().find(|at| wanted(&thread.places[*at]));
        let own = find(&|place| place.as_ref().is_some_and(|(kept, _)| *kept == id));
        let at =
            own.or_else(|| find(&Option::is_none)).unwrap_or(places[(lot / TAKING) as usize % places.len()]);
        thread.places[at] = Some((id, entry.clone()));
    }

    /// Two neighbours here and two there: so there is room for nearly as many ids as there are places.
    fn places(&self, id: KeyId) -> [usize; 4] {
        let hash = self.hasher.hash_one(id);
        let [here, there] = [hash, hash >> 32].map(|part| part as usize % PLACES);
        [here, here ^ 1, there, there ^ 1]
    }
}

impl Default for Thread {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| None).collect(), found: 0, missed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::freshness::Freshness,
        domain::{changed::Changed, time::Timestamp},
    };

    fn id(seed: u16) -> KeyId {
        let [high, low] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
    }

    fn entry(id: KeyId, revision: i64) -> Entry {
        let places = Freshness::new(1).places(&Changed::Key(id), &[]);
        Entry { candidate: None, revision, loaded_at: 0, places }
    }

    /// Offers it until it is taken.
    fn put(front: &Front, id: KeyId, revision: i64) {
        while found(front, id) != Some(revision) {
            front.offer(id, &entry(id, revision));
        }
    }

    fn found(front: &Front, id: KeyId) -> Option<i64> {
        front.get(id, |_| true).map(|found| found.entry.revision)
    }

    #[test]
    fn finds_what_was_put_last_and_only_where_it_was_put() {
        let front = Front::default();
        assert_eq!(found(&front, id(1)), None);
        for revision in 1..4 {
            put(&front, id(1), revision);
            assert_eq!(found(&front, id(1)), Some(revision));
        }
        assert_eq!(found(&front, id(2)), None);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(found(&front, id(1)), None));
        });
    }

    #[test]
    fn what_is_asked_for_now_and_then_stays_out() {
        let front = Front::default();
        let taken = (0..8_000).map(id).filter(|id| {
            front.offer(*id, &entry(*id, 1));
            found(&front, *id).is_some()
        });
        assert!((900..1_100).contains(&taken.count()));
    }

    #[test]
    fn those_that_are_asked_for_over_and_over_find_room() {
        const IDS: u16 = 10_000;
        let front = Front::default();
        for _ in 0..100 {
            for id in (0..IDS).map(id).filter(|id| found(&front, *id).is_none()) {
                front.offer(id, &entry(id, 1));
            }
        }
        let missing = (0..IDS).map(id).filter(|id| found(&front, *id).is_none()).count();
        assert!(missing < usize::from(IDS) / 50, "{missing} of them are missing");
    }

    #[test]
    fn what_is_not_believed_is_not_found() {
        let front = Front::default();
        put(&front, id(1), 7);
        assert!(front.get(id(1), |entry| entry.revision > 7).is_none());
        assert!(front.get(id(1), |entry| entry.revision == 7).is_some());
    }

    #[test]
    fn there_is_always_room_for_one_more() {
        let front = Front::default();
        for seed in 0..u16::MAX {
            put(&front, id(seed), seed.into());
        }
        let kept = (0..u16::MAX).filter(|seed| found(&front, id(*seed)).is_some()).count();
        assert!((PLACES * 9 / 10..=PLACES).contains(&kept), "{kept}");
    }

    #[test]
    fn one_of_many_that_are_found_is_told_of() {
        let front = Front::default();
        put(&front, id(1), 1);
        let told = (0..10 * TELLING).filter(|_| front.get(id(1), |_| true).unwrap().telling);
        assert_eq!(told.count(), 10);
    }
}
