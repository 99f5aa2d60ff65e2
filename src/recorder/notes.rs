//! Notes from the queue: what was used and is to be asked for its time, and what is ready to be written.

use super::{
    batch::{Batch, MOST_USES},
    sender::{Note, Used, WAITING},
};

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Secrets whose uses are taken next. They keep whole keys in memory, so neither long nor many.
    used: Vec<Used>,
    pub(super) batch: Batch,
}

impl Notes {
    pub(super) fn add(&mut self, note: Note) {
        match note {
            Note::Rehashed(rehash) => self.batch.add_rehash(rehash),
            Note::Used(used) => {
                // Without room for one more secret it is asked at once: it may be one that waits already.
                let room = self.used.len() + self.batch.used() < MOST_USES;
                self.used.push(used);
                if !room || self.used.len() >= WAITING {
                    self.take();
                }
            }
        }
    }

    /// Asks what was used for its time; its next use is a first one again.
    pub(super) fn take(&mut self) {
        for used in self.used.drain(..) {
            if let Some(it) = used.take() {
                self.batch.add_use(it);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        credential::Credential,
        id::KeyId,
        key::{Key, sample::key},
        time::Timestamp,
    };

    use super::*;
    use crate::ports::{credentials::CachedKey, recorder::Use};

    const START: Timestamp = Timestamp::from_micros(0);

    fn key_id(n: u32) -> KeyId {
        let [a, b, c, d] = n.to_be_bytes();
        KeyId::new(START, [0, 0, 0, 0, 0, 0, a, b, c, d])
    }

    fn candidate(n: u32) -> (KeyId, Arc<CachedKey>) {
        let key = Key { id: key_id(n), ..key(None, false) };
        let credential = Credential::new(&key, false).unwrap();
        (key.id, Arc::new(CachedKey { credential, encoded: Box::default() }))
    }

    /// Whether it was a first use.
    fn use_at(notes: &mut Notes, (id, key): &(KeyId, Arc<CachedKey>), second: i64) -> bool {
        let first = key.credential.secret(1).unwrap().note_use(at(second));
        if first {
            notes.add(used_now(*id, key));
        }
        first
    }

    fn used_now(id: KeyId, key: &Arc<CachedKey>) -> Note {
        Note::Used(Used { id, key: key.clone(), secret_version: 1 })
    }

    fn used(n: u32, second: i64) -> Use {
        Use { key: key_id(n), secret_version: 1, time: at(second) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_secret_is_asked_for_its_latest_use_when_it_is_taken() {
        let (mut notes, key) = (Notes::default(), candidate(1));
        assert!(use_at(&mut notes, &key, 5));
        assert!(!use_at(&mut notes, &key, 7));
        assert!(notes.batch.is_empty());
        notes.take();
        assert_eq!(notes.batch.uses(10), [used(1, 7)]);
        assert!(use_at(&mut notes, &key, 8));
    }

    #[test]
    fn no_more_keys_are_kept_in_memory_than_the_queue_has() {
        let mut notes = Notes::default();
        let (id, key) = candidate(1);
        for _ in 0..16_383 {
            notes.add(used_now(id, &key));
        }
        assert_eq!(Arc::strong_count(&key), 16_384);
        notes.add(used_now(id, &key));
        assert_eq!(Arc::strong_count(&key), 1);
    }

    #[test]
    fn without_room_a_secret_that_waits_is_still_used_and_another_is_dropped() {
        let mut notes = Notes::default();
        for n in 0..100_000 {
            notes.batch.add_use(used(n, 1));
        }
        let (waiting, other) = (candidate(0), candidate(300_000));
        assert!(use_at(&mut notes, &waiting, 5));
        assert!(use_at(&mut notes, &other, 5));
        assert_eq!(notes.batch.uses(1), [used(0, 5)]);
        assert_eq!((notes.batch.used(), notes.batch.take_dropped()), (100_000, 1));
        assert!(use_at(&mut notes, &other, 6), "nobody would hear of it otherwise");
    }
}
