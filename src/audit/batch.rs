//! Notes on their way to the store: one a secret, the latest.

use std::collections::HashMap;

use crate::{
    domain::{id::KeyId, time::Timestamp},
    ports::recorder::{Rehash, Use},
};

/// The most notes that go to the store at once.
pub(super) const PORTION: usize = 1_000;

/// The most that is kept while the store does not take it.
const MOST: usize = 10 * PORTION;

#[derive(Debug, Clone, Copy)]
pub(super) enum Note {
    Used(Use),
    Rehashed(Rehash),
}

/// Bounded: a secret too many is dropped and counted.
#[derive(Debug, Default)]
pub(super) struct Batch {
    uses: HashMap<Secret, Timestamp>,
    rehashes: HashMap<Secret, Rehash>,
    dropped: u64,
}

/// A key, and the version of one of its secrets.
type Secret = (KeyId, i32);

impl Batch {
    pub(super) fn add(&mut self, note: Note) {
        let room = self.len() < MOST;
        let kept = match note {
            Note::Used(it) => {
                let secret = (it.key, it.secret_version);
                put(&mut self.uses, secret, it.time, room, |old, new| {
                    *old = (*old).max(new);
                })
            }
            Note::Rehashed(it) => {
                let secret = (it.key, it.secret_version);
                put(&mut self.rehashes, secret, it, room, |old, new| *old = new)
            }
        };
        self.dropped += u64::from(!kept);
    }

    pub(super) fn len(&self) -> usize {
        self.uses.len() + self.rehashes.len()
    }

    /// How many notes were dropped since this was last asked.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Some of the uses, at most [`PORTION`]; they stay until they are [forgotten](Self::forget_uses).
    pub(super) fn uses(&self) -> Vec<Use> {
        let mut uses: Vec<_> = self
            .uses
            .iter()
            .take(PORTION)
            .map(|(&(key, secret_version), &time)| Use { key, secret_version, time })
            .collect();
        // Replicas that lock rows in one order do not lock each other out.
        uses.sort_unstable_by_key(|it| (it.key, it.secret_version));
        uses
    }

    pub(super) fn forget_uses(&mut self, written: &[Use]) {
        for it in written {
            self.uses.remove(&(it.key, it.secret_version));
        }
    }

    /// Some of the rehashes, at most [`PORTION`]; they stay until they are [forgotten](Self::forget_rehashes).
    pub(super) fn rehashes(&self) -> Vec<Rehash> {
        let mut rehashes: Vec<_> = self.rehashes.values().take(PORTION).copied().collect();
        rehashes.sort_unstable_by_key(|it| (it.key, it.secret_version));
        rehashes
    }

    pub(super) fn forget_rehashes(&mut self, written: &[Rehash]) {
        for it in written {
            self.rehashes.remove(&(it.key, it.secret_version));
        }
    }
}

/// Puts a value, or joins it with the one that is there. `false` when it is new and there is no room for it.
fn put<T: Copy>(
    map: &mut HashMap<Secret, T>,
    secret: Secret,
    new: T,
    room: bool,
    join: impl FnOnce(&mut T, T),
) -> bool {
    match map.get_mut(&secret) {
        Some(old) => join(old, new),
        None if room => {
            map.insert(secret, new);
        }
        None => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{digest::Digest, key::Sealed};

    fn key(seed: u16) -> KeyId {
        let [high, low] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [high, low, 0, 0, 0, 0, 0, 0, high, low])
    }

    fn used(seed: u16, secret_version: i32, micros: i64) -> Note {
        Note::Used(Use { key: key(seed), secret_version, time: Timestamp::from_micros(micros) })
    }

    fn rehashed(seed: u16, pepper: u16) -> Note {
        Note::Rehashed(Rehash {
            key: key(seed),
            secret_version: 1,
            replaces: 1,
            sealed: Sealed { digest: Digest::from_bytes([0; 32]), pepper },
        })
    }

    #[test]
    fn keeps_the_latest_use_of_each_secret() {
        let mut batch = Batch::default();
        for note in [used(1, 1, 20), used(1, 1, 30), used(1, 1, 10), used(1, 2, 5)] {
            batch.add(note);
        }
        let times: Vec<_> = batch.uses().iter().map(|it| (it.secret_version, it.time.as_micros())).collect();
        assert_eq!(times, [(1, 30), (2, 5)]);
    }

    #[test]
    fn keeps_one_rehash_of_each_secret() {
        let mut batch = Batch::default();
        batch.add(rehashed(1, 2));
        batch.add(rehashed(1, 3));
        let peppers: Vec<_> = batch.rehashes().iter().map(|it| it.sealed.pepper).collect();
        assert_eq!(peppers, [3]);
    }

    #[test]
    fn what_is_not_written_stays() {
        let mut batch = Batch::default();
        batch.add(used(1, 1, 1));
        batch.add(rehashed(1, 2));
        let uses = batch.uses();
        assert_eq!((uses.len(), batch.len()), (1, 2));
        batch.forget_uses(&uses);
        assert_eq!((batch.uses().len(), batch.rehashes().len()), (0, 1));
        batch.forget_rehashes(&batch.rehashes());
        assert_eq!(batch.len(), 0);
    }

    #[test]
    fn hands_out_portions_in_the_order_of_keys() {
        let mut batch = Batch::default();
        for seed in 0..1_500 {
            batch.add(used(seed, 1, 1));
        }
        let first = batch.uses();
        assert_eq!(first.len(), PORTION);
        assert!(first.is_sorted_by_key(|it| it.key));
        batch.forget_uses(&first);
        assert_eq!(batch.uses().len(), 500);
    }

    #[test]
    fn is_bounded_and_counts_what_it_drops() {
        let mut batch = Batch::default();
        for seed in 0..10_002 {
            batch.add(used(seed, 1, 1));
        }
        batch.add(used(0, 1, 9));
        assert_eq!(batch.len(), MOST);
        assert_eq!(batch.take_dropped(), 2, "one that is known is no secret more");
        assert_eq!(batch.take_dropped(), 0);
    }
}
