//! One copy of each value that many keys have in common.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use super::entry::Hasher;

pub(super) struct Interner<T>(Mutex<Values<T>>);

struct Values<T> {
    /// By their hash. Only their users keep them: one may point to megabytes.
    shared: HashMap<u64, Weak<T>>,
    hasher: Hasher,
    /// When there are so many, the places of those that are gone are freed.
    sweep_at: usize,
}

/// Fewer values than this are not worth a sweep.
const FEW: usize = 64;

impl<T: Eq + Hash> Interner<T> {
    /// The shared value that equals `value`, which is `value` itself if there was none.
    pub(super) fn share(&self, value: &Arc<T>) -> Arc<T> {
        // Nothing that holds the lock can panic half way.
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = values.hasher.hash_one(value);
        if let Some(shared) = values.shared.get(&hash).and_then(Weak::upgrade)
            && shared == *value
        {
            return shared;
        }
        if values.shared.len() >= values.sweep_at {
            values.shared.retain(|_, shared| shared.strong_count() > 0);
            values.sweep_at = FEW.max(2 * values.shared.len());
        }
        // In place of another value with this hash, if there is one: that is then no longer shared with new users.
        values.shared.insert(hash, Arc::downgrade(value));
        value.clone()
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        let (shared, hasher) = (HashMap::default(), Hasher::default());
        Self(Mutex::new(Values { shared, hasher, sweep_at: FEW }))
    }
}

impl<T> fmt::Debug for Interner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interner")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let interner = Interner::default();
        let [one, same, other] = ["a", "a", "b"].map(|text| interner.share(&Arc::new(text.to_owned())));
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(*other, "b");
    }

    #[test]
    fn values_without_users_are_dropped() {
        let interner = Interner::default();
        let value = Arc::downgrade(&interner.share(&Arc::new(-1)));
        assert_eq!(value.strong_count(), 0);
        let kept: Vec<_> = (0..100).map(|number| interner.share(&Arc::new(number))).collect();
        for number in 100..10_000 {
            interner.share(&Arc::new(number));
            let shared = interner.0.lock().unwrap().shared.len();
            assert!(shared <= 2 * kept.len() + FEW, "{shared} values");
        }
        for value in &kept {
            assert!(Arc::ptr_eq(value, &interner.share(&Arc::new(**value))));
        }
    }
}
