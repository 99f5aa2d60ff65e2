//! What one thread looked up lately: the cache in front of the cache.
//!
//! A look-up here reads two lines of memory and writes none that another thread reads. An entry is believed
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
    /// Each id has one, and may be in either of its places.
    sets: Box<[[Place; 2]]>,
    found: u32,
    missed: u32,
}

type Place = Option<(KeyId, Entry)>;

/// Three quarters of a megabyte a thread, which a processor's own cache holds.
const SETS: usize = 1 << 13;

/// How many that are found stand for one that is worth telling of.
const TELLING: u32 = 64;

/// How many that are not found come to one that is put in, so that what is asked for now and then does not
/// push out what is asked for all the time.
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
        let set = &thread.sets[self.set(id)];
        let (_, entry) = set.iter().flatten().find(|(kept, entry)| *kept == id && believed(entry))?;
        let entry = entry.clone();
        thread.found = thread.found.wrapping_add(1);
        Some(Found { entry, telling: thread.found.is_multiple_of(TELLING) })
    }

    /// Puts `entry` in, now and then.
    pub(super) fn offer(&self, id: KeyId, entry: &Entry) {
        let mut thread = self.threads.get_or_default().borrow_mut();
        thread.missed = thread.missed.wrapping_add(1);
        if !thread.missed.is_multiple_of(TAKING) {
            return;
        }
        let [newer, older] = &mut thread.sets[self.set(id)];
        if newer.as_ref().is_some_and(|(kept, _)| *kept != id) {
            *older = newer.take();
        }
        *newer = Some((id, entry.clone()));
    }

    fn set(&self, id: KeyId) -> usize {
        self.hasher.hash_one(id) as usize % SETS
    }
}

impl Default for Thread {
    fn default() -> Self {
        Self { sets: (0..SETS).map(|_| [None, None]).collect(), found: 0, missed: 0 }
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
        for _ in 0..TAKING {
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
        for seed in 1..=TAKING {
            let id = id(seed as u16);
            front.offer(id, &entry(id, 1));
            assert_eq!(found(&front, id).is_some(), seed == TAKING);
        }
    }

    #[test]
    fn what_is_not_believed_is_not_found() {
        let front = Front::default();
        put(&front, id(1), 7);
        assert!(front.get(id(1), |entry| entry.revision > 7).is_none());
        assert!(front.get(id(1), |entry| entry.revision == 7).is_some());
    }

    #[test]
    fn of_those_that_share_a_set_the_last_two_stay() {
        let front = Front::default();
        let mut mates = (0..).map(id).filter(|it| front.set(*it) == front.set(id(0)));
        let mates = [(); 3].map(|()| mates.next().unwrap());
        for (revision, mate) in (0..).zip(mates) {
            put(&front, mate, revision);
        }
        assert_eq!(mates.map(|mate| found(&front, mate)), [None, Some(1), Some(2)]);
    }

    #[test]
    fn one_of_many_that_are_found_is_told_of() {
        let front = Front::default();
        put(&front, id(1), 1);
        let told = (0..10 * TELLING).filter(|_| front.get(id(1), |_| true).unwrap().telling);
        assert_eq!(told.count(), 10);
    }
}
