//! What the writer received and has not written yet.

use super::{
    batch::{Batch, MOST_USES},
    message::{Message, PendingUse},
    queue::CAPACITY,
};

#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Uses whose time is still to be read. They keep whole keys in memory, so they stay few and do not stay long.
    uses: Vec<PendingUse>,
    /// What can be written.
    pub(super) batch: Batch,
}

impl Pending {
    pub(super) fn add(&mut self, message: Message) {
        match message {
            Message::Rehashed(rehash) => self.batch.add_rehash(rehash),
            Message::Used(pending) => {
                // A full batch has no room for another secret, but this one may be in it already.
                let room = self.uses.len() + self.batch.used() < MOST_USES;
                self.uses.push(pending);
                if !room || self.uses.len() >= CAPACITY {
                    self.take_uses();
                }
            }
        }
    }

    /// Reads the time of every pending use, so that it can be written.
    pub(super) fn take_uses(&mut self) {
        for pending in self.uses.drain(..) {
            if let Some(last_use) = pending.take() {
                self.batch.add_use(last_use);
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
    use crate::ports::{
        credentials::{CachedKey, EncodedKey},
        recorder::LastUse,
    };

    const START: Timestamp = Timestamp::from_micros(0);

    fn key_id(n: u32) -> KeyId {
        let [a, b, c, d] = n.to_be_bytes();
        KeyId::new(START, [0, 0, 0, 0, 0, 0, a, b, c, d])
    }

    fn cached(n: u32) -> (KeyId, Arc<CachedKey>) {
        let key = Key { id: key_id(n), ..key(None, false) };
        let credential = Credential::new(&key, false).unwrap();
        (key.id, Arc::new(CachedKey { credential, encoded: EncodedKey::default() }))
    }

    /// Records a use; `true` if it is the first since the last one was taken.
    fn use_at(pending: &mut Pending, (id, key): &(KeyId, Arc<CachedKey>), second: i64) -> bool {
        let first = key.credential.secret(1).unwrap().note_use(at(second));
        if first {
            pending.add(message(*id, key));
        }
        first
    }

    fn message(id: KeyId, key: &Arc<CachedKey>) -> Message {
        Message::Used(PendingUse { id, key: key.clone(), secret_version: 1 })
    }

    fn used(n: u32, second: i64) -> LastUse {
        LastUse { key: key_id(n), secret_version: 1, time: at(second) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn the_latest_use_of_a_key_is_taken() {
        let (mut pending, key) = (Pending::default(), cached(1));
        assert!(use_at(&mut pending, &key, 5));
        assert!(!use_at(&mut pending, &key, 7));
        assert!(pending.batch.is_empty());
        pending.take_uses();
        assert_eq!(pending.batch.uses(10), [used(1, 7)]);
        assert!(use_at(&mut pending, &key, 8));
    }

    #[test]
    fn no_more_keys_are_kept_in_memory_than_the_queue_holds() {
        let mut pending = Pending::default();
        let (id, key) = cached(1);
        for _ in 0..16_383 {
            pending.add(message(id, &key));
        }
        assert_eq!(Arc::strong_count(&key), 16_384);
        pending.add(message(id, &key));
        assert_eq!(Arc::strong_count(&key), 1);
    }

    #[test]
    fn a_full_batch_updates_its_secrets_and_drops_others() {
        let mut pending = Pending::default();
        for n in 0..100_000 {
            pending.batch.add_use(used(n, 1));
        }
        let (waiting, other) = (cached(0), cached(300_000));
        assert!(use_at(&mut pending, &waiting, 5));
        assert!(use_at(&mut pending, &other, 5));
        assert_eq!(pending.batch.uses(1), [used(0, 5)]);
        assert_eq!((pending.batch.used(), pending.batch.take_dropped()), (100_000, 1));
        assert!(use_at(&mut pending, &other, 6), "a dropped use hides the next one");
    }
}
