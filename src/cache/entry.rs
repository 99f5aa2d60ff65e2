//! What the cache holds for one id.

use std::sync::Arc;

use domain::{freshness::Stamp, policy::Profile};

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
    /// What the key has in common with others.
    pub(super) fn profile(&self) -> Option<&Arc<Profile>> {
        self.key.as_ref().map(|key| key.credential.policy.profile())
    }

    /// The bytes that it takes in memory in addition to itself.
    pub(super) fn heap_size(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.size())
    }

    /// Its share of the profile, which all entries that have it account for together.
    pub(super) fn profile_share(&self) -> usize {
        self.profile().map_or(0, |profile| {
            let entries = Arc::strong_count(profile);
            profile.size() / entries
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
