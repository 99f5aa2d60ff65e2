//! What is to be written: the latest use of each secret, and its digest under the newest pepper.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound::{Excluded, Included, Unbounded},
};

use domain::{id::KeyId, time::Timestamp};

use crate::ports::recorder::{LastUse, Rehash};

/// Most secrets with a use to be written, at about 50 bytes each.
pub(super) const MOST_USES: usize = 100_000;

/// Most digests to be written. One that is dropped is sent again at a later use of its secret.
const MOST_REHASHES: usize = 10_000;

/// Bounded: one secret more than the maximum is dropped and counted.
#[derive(Debug, Default)]
pub(super) struct Batch {
    uses: BTreeMap<Secret, Timestamp>,
    rehashes: BTreeMap<Secret, Rehash>,
    /// Where the last portion of uses ended.
    cursor: Option<Secret>,
    dropped: u64,
}

/// A key, and the version of one of its secrets.
type Secret = (KeyId, i32);

impl Batch {
    pub(super) fn add_use(&mut self, new: LastUse) {
        let room = self.uses.len() < MOST_USES;
        match self.uses.entry((new.key, new.secret_version)) {
            Entry::Occupied(mut old) => {
                let latest = new.time.max(*old.get());
                old.insert(latest);
            }
            Entry::Vacant(entry) if room => {
                entry.insert(new.time);
            }
            Entry::Vacant(_) => self.dropped += 1,
        }
    }

    pub(super) fn add_rehash(&mut self, new: Rehash) {
        let secret = (new.key, new.secret_version);
        if self.rehashes.len() < MOST_REHASHES || self.rehashes.contains_key(&secret) {
            self.rehashes.insert(secret, new);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.uses.len() + self.rehashes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many secrets have a use to be written.
    pub(super) fn used(&self) -> usize {
        self.uses.len()
    }

    /// How many were dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The next portion of uses, in the order of the keys; they stay until [`Self::forget_uses`].
    ///
    /// Portions go round the keys, so that every use gets its turn, and a page of the database that holds several is written
    /// once.
    pub(super) fn uses(&self, most: usize) -> Vec<LastUse> {
        let (behind, before) = match self.cursor {
            Some(cursor) => ((Excluded(cursor), Unbounded), (Unbounded, Included(cursor))),
            None => ((Unbounded, Unbounded), (Unbounded, Unbounded)),
        };
        let most = most.min(self.uses.len());
        let uses = self.uses.range(behind).chain(self.uses.range(before)).take(most);
        uses.map(|(&(key, secret_version), &time)| LastUse { key, secret_version, time }).collect()
    }

    /// Removes what was `written`, unless it was used again in the meantime.
    pub(super) fn forget_uses(&mut self, written: &[LastUse]) {
        for it in written {
            let secret = (it.key, it.secret_version);
            if self.uses.get(&secret) == Some(&it.time) {
                self.uses.remove(&secret);
            }
            self.cursor = Some(secret);
        }
    }

    /// Some of the rehashes; they stay until [`Self::forget_rehashes`].
    pub(super) fn rehashes(&self, most: usize) -> Vec<Rehash> {
        self.rehashes.values().take(most).copied().collect()
    }

    pub(super) fn forget_rehashes(&mut self, written: &[Rehash]) {
        for it in written {
            self.rehashes.remove(&(it.key, it.secret_version));
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{digest::Digest, key::Sealed};

    use super::*;

    fn key(seed: u32) -> KeyId {
        let [a, b, c, d] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [0, 0, 0, 0, 0, 0, a, b, c, d])
    }

    fn used(seed: u32, secret_version: i32, micros: i64) -> LastUse {
        LastUse { key: key(seed), secret_version, time: Timestamp::from_micros(micros) }
    }

    fn rehashed(seed: u32, pepper: u16) -> Rehash {
        Rehash {
            key: key(seed),
            secret_version: 1,
            replaces: 1,
            sealed: Sealed { digest: Digest::from_bytes([0; 32]), pepper },
        }
    }

    #[test]
    fn keeps_the_latest_use_of_each_secret() {
        let mut batch = Batch::default();
        for it in [used(1, 1, 20), used(1, 1, 30), used(1, 1, 10), used(1, 2, 5)] {
            batch.add_use(it);
        }
        assert_eq!(batch.uses(10), [used(1, 1, 30), used(1, 2, 5)]);
    }

    #[test]
    fn keeps_one_rehash_of_each_secret() {
        let mut batch = Batch::default();
        batch.add_rehash(rehashed(1, 2));
        batch.add_rehash(rehashed(1, 3));
        let peppers: Vec<_> = batch.rehashes(10).iter().map(|it| it.sealed.pepper).collect();
        assert_eq!(peppers, [3]);
    }

    #[test]
    fn unwritten_uses_stay() {
        let mut batch = Batch::default();
        batch.add_use(used(1, 1, 1));
        batch.add_rehash(rehashed(1, 2));
        let uses = batch.uses(10);
        assert_eq!((uses.len(), batch.len()), (1, 2));
        batch.forget_uses(&uses);
        assert_eq!((batch.uses(10).len(), batch.rehashes(10).len()), (0, 1));
        batch.forget_rehashes(&batch.rehashes(10));
        assert!(batch.is_empty());
    }

    #[test]
    fn a_use_during_a_write_of_an_earlier_one_stays() {
        let mut batch = Batch::default();
        batch.add_use(used(1, 1, 1));
        let uses = batch.uses(10);
        batch.add_use(used(1, 1, 2));
        batch.forget_uses(&uses);
        assert_eq!(batch.uses(10), [used(1, 1, 2)]);
    }

    #[test]
    fn portions_rotate_through_the_keys() {
        let mut batch = Batch::default();
        for seed in [2, 1, 5, 3, 4] {
            batch.add_use(used(seed, 1, 1));
        }
        let first = batch.uses(2);
        assert_eq!(first, [used(1, 1, 1), used(2, 1, 1)]);
        batch.forget_uses(&first);
        batch.add_use(used(1, 1, 9));
        let second = batch.uses(2);
        assert_eq!(second, [used(3, 1, 1), used(4, 1, 1)], "the other keys come first");
        batch.forget_uses(&second);
        let third = batch.uses(2);
        assert_eq!(third, [used(5, 1, 1), used(1, 1, 9)]);
        assert_eq!(batch.uses(10).len(), 2, "each key is in it once");
    }

    #[test]
    fn a_full_batch_counts_what_it_drops() {
        let mut batch = Batch::default();
        for seed in 0..100_002 {
            batch.add_use(used(seed, 1, 1));
        }
        batch.add_use(used(0, 1, 9));
        assert_eq!(batch.used(), 100_000);
        assert_eq!(batch.take_dropped(), 2, "a secret that is already in the batch needs no more room");
        assert_eq!(batch.take_dropped(), 0);
        for seed in 0..10_001 {
            batch.add_rehash(rehashed(seed, 2));
        }
        batch.add_rehash(rehashed(0, 3));
        assert_eq!((batch.len(), batch.take_dropped()), (110_000, 1));
    }
}
