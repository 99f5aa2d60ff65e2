//! One copy of each value that many keys have in common.

use std::{
    collections::HashSet,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use super::entry::Hasher;

pub(super) struct Interner<T>(Mutex<Values<T>>);

struct Values<T> {
    shared: HashSet<Arc<T>, Hasher>,
    /// When there are so many, those that nothing else has any more are dropped.
    sweep_at: usize,
}

/// Fewer values than this are not worth a sweep.
const FEW: usize = 64;

impl<T: Eq + Hash> Interner<T> {
    /// The shared value that equals `value`, which is `value` itself if there was none.
    pub(super) fn share(&self, value: &Arc<T>) -> Arc<T> {
        // Nothing that holds the lock can panic half way.
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = values.shared.get(value) {
            return shared.clone();
        }
        if values.shared.len() >= values.sweep_at {
            values.shared.retain(|shared| Arc::strong_count(shared) > 1);
            values.sweep_at = FEW.max(2 * values.shared.len());
        }
        values.shared.insert(value.clone());
        value.clone()
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::new(Values { shared: HashSet::default(), sweep_at: FEW }))
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
