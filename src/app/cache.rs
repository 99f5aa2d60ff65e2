//! From the settings to a cache that knows what it needs to.

use std::sync::Arc;

use tracing::info;

use crate::{
    cache::{Cache, Limits},
    config::CacheConfig,
    grpc,
    ports::{Clock, Store, StoreError},
};

/// A cache in front of `store`, with the keys in it that were used last, if so configured.
pub(super) async fn open(
    config: &CacheConfig,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Cache>, StoreError> {
    let limits = Limits {
        capacity: u64::from(config.capacity_mib) * 1024 * 1024,
        time_to_live: config.time_to_live,
        unknown: config.unknown_ids.into(),
        max_staleness: config.max_staleness,
        fail_open: config.fail_open,
    };
    let cache = Arc::new(Cache::new(store, clock, limits, grpc::render).await?);
    if config.preload > 0 {
        let keys = cache.warm(config.preload.into()).await?;
        info!(cache.keys = keys, "loaded the keys that were used last");
    }
    Ok(cache)
}
