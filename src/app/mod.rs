//! Builds everything from the settings, and serves on bound listeners until a future resolves.

mod cache;
mod commands;
mod database;
mod descriptors;
mod error;
mod health;
mod housekeeping;
mod listeners;
mod metrics;
mod peppers;
mod readiness;
mod serve;
mod servers;
mod shutdown;
mod upgrade;
mod worker;
mod world;

use std::{sync::Arc, time::Duration};

use crate::{
    cache::Cache,
    config::{Config, TracesConfig, create_private_dir},
    ports::Clock,
    store::{Claim, Shares, SqlStore},
    verbs::Service,
};

pub use crate::verbs::{PepperUsage, RootKey};
pub use commands::{migrate, pepper_usage};
pub use descriptors::raise_limit;
use domain::{digest::Peppers, mark::MarkKey};
pub use error::{ServeError, StartError};
pub use health::{Unhealthy, check_health};
pub use listeners::{BindError, Listeners, reachable};
pub use shutdown::Stopped;
pub use world::World;

/// Keeps a second server off an embedded database as long as the claim lives. A command needs no claim to run next to a server.
pub fn claim(config: &Config) -> Result<Claim, StartError> {
    create_private_dir(&config.data_dir).map_err(StartError::DataDirectory)?;
    database::claim(&config.database)
}

/// Keystile, ready to serve: the database answers and is migrated, and every pepper that stored secrets need is configured.
#[derive(Debug)]
pub struct App {
    store: Arc<SqlStore>,
    cache: Arc<Cache>,
    /// How often the change log is polled without a notification.
    feed_poll: Duration,
    service: Service,
    clock: Arc<dyn Clock>,
    peppers: Arc<Peppers>,
    mark_key: MarkKey,
    /// How long calls under way may take after the stop.
    drain_deadline: Duration,
    traces: TracesConfig,
    database_kind: &'static str,
    database_connections: u32,
    first_root_key: Option<RootKey>,
}

impl App {
    /// Waits for the database, for a limited time, and migrates it. A first start creates the system project and a root key.
    pub async fn open(config: &Config, world: World) -> Result<Self, StartError> {
        create_private_dir(&config.data_dir).map_err(StartError::DataDirectory)?;
        let store = database::open(&config.database).await?;
        database::migrate(&store).await?;
        let peppers = peppers::load(&config.peppers, &*store, &*world.random).await?;
        let World { clock, random } = world;
        let mark_key = MarkKey::new(&random.bytes());
        let connections = Shares::of(config.database.max_connections).verify;
        let cache =
            cache::open(&config.cache, Arc::clone(&store) as _, connections, Arc::clone(&clock), &*random)
                .await?;
        let service = Service::new(
            Arc::clone(&store) as _,
            Arc::clone(&clock),
            random,
            Arc::clone(&peppers),
            Arc::clone(&cache) as _,
        );
        peppers::check(&service).await?;
        let first_root_key = service.bootstrap().await?;
        upgrade::run(&service).await?;
        Ok(Self {
            first_root_key,
            drain_deadline: config.process.drain_deadline,
            database_kind: database::kind(&config.database),
            database_connections: connections,
            feed_poll: config.cache.feed_poll,
            traces: config.traces.clone(),
            store,
            cache,
            service,
            clock,
            peppers,
            mark_key,
        })
    }

    /// The root key, if this start created it.
    pub fn first_root_key(&self) -> Option<&RootKey> {
        self.first_root_key.as_ref()
    }

    /// A root key that was never shown: the first one if this start created it, else a new one.
    pub async fn fresh_root_key(&mut self) -> Result<RootKey, StartError> {
        match self.first_root_key.take() {
            Some(first) => Ok(first),
            None => Ok(self.service.mint_root_key().await?),
        }
    }

    /// Closes the database connections. [`Self::serve`] does so by itself.
    pub async fn close(self) {
        self.store.close().await;
    }
}
