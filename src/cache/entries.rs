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

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Weak},
        time::Duration,
    };

    use domain::{
        access::Access,
        credential::Credential,
        freshness::{Freshness, Point},
        key::{Key, sample::key},
        shared_access::KeyAccess,
        time::Timestamp,
    };

    use super::{super::interner::Interner, *};
    use crate::ports::credentials::{CachedKey, EncodedKey};

    const CAPACITY: u64 = 1 << 20;

    const LIMITS: Limits = Limits {
        capacity: CAPACITY,
        time_to_live: Duration::MAX,
        unknown: 100,
        reads: 1,
        max_staleness: Duration::MAX,
        fail_open: false,
    };

    fn id(seed: u16) -> KeyId {
        let [high, low] = seed.to_be_bytes();
        KeyId::new(Timestamp::from_micros(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
    }

    fn unknown() -> Entry {
        let stamp = Freshness::new(1, 0).stamp(Point::from_bits(1), &[]);
        Entry { key: None, loaded_at: 0, stamp }
    }

    /// The entry of a key with so many bytes of its own.
    fn known(id: KeyId, bytes: usize) -> Entry {
        entry(credential(id), bytes)
    }

    fn credential(id: KeyId) -> Credential {
        Credential::new(&Key { id, ..key(None, false) }, false).unwrap()
    }

    fn entry(credential: Credential, bytes: usize) -> Entry {
        let encoded = EncodedKey::new(&[], &vec![0; bytes]);
        Entry { key: Some(Arc::new(CachedKey { credential, encoded })), ..unknown() }
    }

    fn is_cached(entries: &Entries, seed: u16) -> bool {
        entries.get(id(seed), |_| true).is_some()
    }

    #[test]
    fn what_is_cleared_is_gone() {
        let entries = Entries::new(&LIMITS, 1);
        for seed in 0..10 {
            entries.put(id(seed), if seed % 2 == 0 { known(id(seed), 0) } else { unknown() });
        }
        assert_eq!(entries.keys.iter().count() + entries.unknown.iter().count(), 10);
        entries.clear();
        assert!((0..10).all(|seed| !is_cached(&entries, seed)));
    }

    /// An id that a key had takes no room among the keys.
    #[test]
    fn an_entry_is_with_the_keys_or_with_the_unknown_ids() {
        let entries = Entries::new(&LIMITS, 1);
        entries.put(id(1), known(id(1), 0));
        assert!(entries.keys.contains_key(&id(1)));
        entries.put(id(1), unknown());
        assert!(!entries.keys.contains_key(&id(1)));
        assert!(entries.unknown.contains_key(&id(1)));
    }

    #[test]
    fn no_more_bytes_of_keys_are_kept_than_there_is_capacity_for() {
        for bytes in [0, 1000, 100_000] {
            let entries = Entries::new(&LIMITS, 1);
            for seed in 0..3000 {
                entries.put(id(seed), known(id(seed), bytes));
                entries.keys.run_pending_tasks();
            }
            let kept =
                entries.keys.iter().map(|(_, entry)| size_of::<Entry>() + entry.heap_size()).sum::<usize>();
            // The rest is for the threads, and for what a profile takes.
            assert!(kept as u64 <= CAPACITY - CAPACITY / 8, "{kept} bytes in keys of {bytes}");
            let enough = CAPACITY / if bytes == 0 { 8 } else { 2 };
            assert!(kept as u64 >= enough, "{kept} bytes in keys of {bytes}");
        }
    }

    #[test]
    fn the_keys_of_a_profile_each_count_a_share_of_it() {
        let profiles = Interner::default();
        let sharing = |seed| {
            let mut credential = credential(id(seed));
            credential.policy.share_profile(|profile| profiles.share(profile));
            entry(credential, 0)
        };
        let first = sharing(1);
        let (profile, weight_of_one) = (first.profile_share(), weight(&first) as usize);
        assert!(profile > 0);
        let second = sharing(2);
        assert_eq!(second.profile_share(), profile / 2);
        assert_eq!(weight(&second) as usize, weight_of_one - profile + profile / 2);
    }

    /// How many of `accesses`, each of so many bytes, are in memory. moka frees what it evicted when no thread of the process can
    /// still look at it, so those of other tests can delay that.
    fn in_memory(entries: &Entries, accesses: &[Weak<KeyAccess>], bytes: usize) -> usize {
        let mut number = usize::MAX;
        for _ in 0..100_000 {
            entries.keys.run_pending_tasks();
            number = accesses.iter().filter(|it| it.strong_count() > 0).count();
            if number * bytes <= CAPACITY as usize {
                break;
            }
            std::thread::yield_now();
        }
        number
    }

    /// What each key may do is much more than the key, and each may do something else.
    #[test]
    fn what_keys_may_do_is_freed_with_the_last_of_them() {
        const BYTES: usize = 20_000;
        let (entries, profiles) = (Entries::new(&LIMITS, 1), Interner::default());
        let mut accesses = Vec::new();
        let mut most = 0;
        for seed in 0..1000 {
            let permissions = vec![format!("p{seed}.read").parse().unwrap()];
            let key = Key { id: id(seed), permissions, ..key(None, false) };
            let mut credential = Credential::new(&key, false).unwrap();
            credential.policy.share_profile(|profile| profiles.share(profile));
            let access = Access::of([], &key.permissions);
            let access = Arc::new(KeyAccess::new(access, vec![0; BYTES].into(), unknown().stamp, 0));
            accesses.push(Arc::downgrade(&access));
            credential.policy.profile().access.replace(access);
            entries.put(key.id, entry(credential, 0));
            // Each look-up may leave a copy with the thread.
            for _ in 0..20 {
                entries.get(key.id, |_| true);
            }
            most = most.max(in_memory(&entries, &accesses, BYTES));
        }
        assert!(most * BYTES <= CAPACITY as usize, "{most} in memory at once");
        assert!(most * BYTES >= CAPACITY as usize / 2, "{most} in memory at once");
    }

    /// A role that many keys hold may become large while they are cached, each with permissions of its own as well.
    #[test]
    fn what_keys_may_do_is_counted_again_when_it_has_grown() {
        const BYTES: usize = 20_000;
        let (entries, profiles) = (Entries::new(&LIMITS, 1), Interner::default());
        let credential = |seed: u16| {
            let permissions = vec![format!("p{seed}.read").parse().unwrap()];
            let key = Key { id: id(seed), permissions, ..key(None, false) };
            let mut credential = Credential::new(&key, false).unwrap();
            credential.policy.share_profile(|profile| profiles.share(profile));
            credential
        };
        for seed in 0..101 {
            entries.put(id(seed), entry(credential(seed), 0));
            // Until the thread has it as well.
            (0..50).for_each(|_| assert!(is_cached(&entries, seed)));
        }
        let mut accesses = Vec::new();
        let all: Vec<_> = (0..101).map(|seed| entries.get(id(seed), |_| true).unwrap()).collect();
        for (seed, cached) in (0..).zip(all) {
            let access = KeyAccess::new(Access::default(), vec![0; BYTES].into(), unknown().stamp, 0);
            let access = Arc::new(access);
            accesses.push(Arc::downgrade(&access));
            cached.profile().unwrap().access.replace(access);
            entries.put(id(seed), cached);
        }
        for _ in 0..100 {
            (0..101).for_each(|seed| drop(entries.get(id(seed), |_| true)));
            entries.keys.run_pending_tasks();
        }
        let kept = in_memory(&entries, &accesses, BYTES);
        assert!(kept * BYTES <= CAPACITY as usize, "{kept} in memory at once");
        assert!(kept * BYTES >= CAPACITY as usize / 2, "{kept} in memory at once");
    }

    #[test]
    fn unknown_ids_are_bounded_by_their_number() {
        let entries = Entries::new(&LIMITS, 1);
        entries.put(id(0), known(id(0), 0));
        for seed in 1..1000 {
            entries.put(id(seed), unknown());
        }
        entries.unknown.run_pending_tasks();
        assert_eq!(entries.unknown.entry_count(), LIMITS.unknown);
        assert!(is_cached(&entries, 0), "they evict no key");
    }
}
