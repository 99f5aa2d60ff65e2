//! How much the cache holds, and how stale its answers may be.

use std::time::Duration;

use super::settings::Settings;
use super::values::{duration, integer, show};

/// The cache in front of the database, and its follower of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    /// `KEYSTILE_CACHE_CAPACITY`: memory for keys, in MiB, from 1 to 1,048,576.
    pub capacity_mib: u32,
    /// `KEYSTILE_CACHE_TTL`: the longest time that a key stays cached, from 1 s to 24 hours.
    pub time_to_live: Duration,
    /// `KEYSTILE_CACHE_UNKNOWN_IDS`: how many unknown ids are cached, up to 10 million.
    pub unknown_ids: u32,
    /// `KEYSTILE_CACHE_PRELOAD`: how many of the most recently used keys are loaded before the first call.
    pub preload: u32,
    /// `KEYSTILE_FEED_POLL`: how often the change log is polled, with or without a notification, from 10 ms to 60 s, and at least as
    /// often as `KEYSTILE_MAX_STALENESS` requires.
    pub feed_poll: Duration,
    /// `KEYSTILE_MAX_STALENESS`: how long answers may come from the cache while the change log cannot be followed,
    /// from 0 s (never) to 24 hours.
    pub max_staleness: Duration,
    /// `KEYSTILE_FAIL_OPEN`: answer from the cache even after that.
    pub fail_open: bool,
}

impl CacheConfig {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let seconds = Duration::from_secs;
        let config = Self {
            capacity_mib: settings.value("KEYSTILE_CACHE_CAPACITY", 256, |text| integer(text, 1..=1_048_576)),
            time_to_live: settings
                .value("KEYSTILE_CACHE_TTL", seconds(600), |text| duration(text, seconds(1)..=hours(24))),
            unknown_ids: settings
                .value("KEYSTILE_CACHE_UNKNOWN_IDS", 100_000, |text| integer(text, 0..=10_000_000)),
            preload: settings.value("KEYSTILE_CACHE_PRELOAD", 0, |text| integer(text, 0..=10_000_000)),
            feed_poll: settings.value("KEYSTILE_FEED_POLL", Duration::from_millis(100), |text| {
                duration(text, Duration::from_millis(10)..=seconds(60))
            }),
            max_staleness: settings
                .value("KEYSTILE_MAX_STALENESS", seconds(30), |text| duration(text, seconds(0)..=hours(24))),
            fail_open: settings.value("KEYSTILE_FAIL_OPEN", false, super::values::boolean),
        };
        config.check(settings);
        config
    }

    /// Each poll confirms that the cache is current. If the cache became too stale between two polls, every call until the next one
    /// would query the database. A bound of 0 asks for just that.
    fn check(&self, settings: &mut Settings) {
        let (poll, bound) = (self.feed_poll, self.max_staleness);
        if poll > bound && !bound.is_zero() {
            let (poll, bound) = (show(poll), show(bound));
            let message = format!(
                "{poll} is longer than KEYSTILE_MAX_STALENESS, {bound}: the cache would be too stale before the next poll; \
                 decrease this one or increase that one"
            );
            settings.fault("KEYSTILE_FEED_POLL", message);
        }
    }
}
