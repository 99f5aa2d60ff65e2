//! What a thread keeps, and how much of it.

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
    let stamp = Freshness::new(1, 0).stamp(Point::from_bits(point), &[]);
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
            let keys = thread.cells.iter().flatten().map(|cached| cached.size as usize);
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
fn a_thread_that_was_not_expected_caches_nothing() {
    let cache = roomy(1);
    put(&cache, id(1), 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..100).for_each(|_| cache.offer(id(1), &entry(1)));
            assert_eq!(found(&cache, id(1)), None);
        });
    });
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
