//! Builds the cache from the settings.

use std::sync::Arc;

use tracing::info;

use crate::{
    cache::{Cache, Limits},
    config::CacheConfig,
    grpc,
    ports::{CacheStore, Clock, Random, StoreError},
};

/// A cache in front of `store`, which has this many `connections` for verifications; preloaded if the settings say so.
pub(super) async fn open(
    config: &CacheConfig,
    store: Arc<dyn CacheStore>,
    connections: u32,
    clock: Arc<dyn Clock>,
    random: &dyn Random,
) -> Result<Arc<Cache>, StoreError> {
    let limits = Limits {
        capacity: u64::from(config.capacity_mib) * 1024 * 1024,
        time_to_live: config.time_to_live,
        unknown: config.unknown_ids.into(),
        reads: reads(connections),
        max_staleness: config.max_staleness,
        fail_open: config.fail_open,
    };
    let cache = Arc::new(Cache::new(store, clock, random, limits, Arc::new(grpc::KeyPartEncoder)).await?);
    if config.preload > 0 {
        let keys = cache.warm(config.preload.into()).await?;
        info!(cache.keys = keys, "preloaded the most recently used keys");
    }
    Ok(cache)
}

/// How many of the `connections` for verifications the cache's reads may use: enough that one slow answer does not matter, but two
/// are left for the follower and for readiness. At least one.
fn reads(connections: u32) -> usize {
    const ENOUGH: u32 = 4;
    connections.saturating_sub(2).clamp(1, ENOUGH) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_leave_connections_for_follower_and_readiness() {
        for (connections, expected) in [(2, 1), (3, 1), (4, 2), (6, 4), (1000, 4)] {
            assert_eq!(reads(connections), expected);
        }
    }
}
