//! What the cache holds for one id.

use std::sync::Arc;

use domain::freshness::Stamp;

use crate::ports::credentials::CachedKey;

/// What one read brought.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `None` for an id that no key has.
    pub(super) key: Option<Arc<CachedKey>>,
    /// The uptime when the read began, in microseconds.
    pub(super) loaded_at: u64,
    pub(super) stamp: Stamp,
}

/// Hashes ids. Fast, and seeded at random, so that an attacker cannot choose ids that collide.
pub(super) type Hasher = foldhash::quality::RandomState;

impl Entry {
    /// The bytes that it takes in memory in addition to itself.
    pub(super) fn heap_size(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.size())
    }

    /// The bytes of the profile, if no other entry has it yet: the first one accounts for it.
    pub(super) fn new_profile_size(&self) -> usize {
        self.key.as_ref().map_or(0, |key| {
            let profile = key.credential.policy.profile();
            // The other count is the interner's.
            if Arc::strong_count(profile) <= 2 { profile.size() } else { 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cache of each thread stores thousands of entries inline.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 40);
    }
}
