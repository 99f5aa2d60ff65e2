//! Opens and migrates the database that the settings name.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::{
    config::{Database, DatabaseConfig},
    ports::StoreError,
    store::{Claim, ClaimError, Location, Options, SqlStore},
};

use super::StartError;

/// Keeps other servers off an embedded database.
pub(super) fn claim(config: &DatabaseConfig) -> Result<Claim, StartError> {
    Claim::take(&location(config)).map_err(|error| match error {
        ClaimError::Store(error) => not_opened(config, error),
        in_use => StartError::DatabaseInUse(in_use),
    })
}

/// Opens the database; while it does not answer, retries for a limited time.
pub(super) async fn open(config: &DatabaseConfig) -> Result<Arc<SqlStore>, StartError> {
    let mut refused = None;
    match timeout(PATIENCE, retry(config, &mut refused)).await {
        Ok(Ok(store)) => Ok(Arc::new(store)),
        Ok(Err(source)) => Err(not_opened(config, source)),
        Err(_) => Err(StartError::NoDatabase { database: describe(config), patience: PATIENCE, refused }),
    }
}

fn not_opened(config: &DatabaseConfig, source: StoreError) -> StartError {
    match source {
        StoreError::Broken(_) => StartError::DatabaseRefused { database: describe(config), source },
        StoreError::Unavailable(_) | StoreError::Overloaded(_) | StoreError::TooSlow(_) => source.into(),
    }
}

/// Migrates the schema, and answers with the names of the migrations that it applied.
pub(super) async fn migrate(store: &SqlStore) -> Result<Vec<String>, StartError> {
    let applied = store.migrate().await?;
    for name in &applied {
        info!(migration.name = %name, "migrated the database");
    }
    Ok(applied)
}

/// Where the database is, without its password.
pub(super) fn describe(config: &DatabaseConfig) -> String {
    match &config.location {
        Database::Embedded { file } => file.display().to_string(),
        Database::Server { url } => url.to_string(),
    }
}

/// `sqlite`, `postgres` or `mysql`.
pub(super) fn kind(config: &DatabaseConfig) -> &'static str {
    match &config.location {
        Database::Embedded { .. } => "sqlite",
        Database::Server { url } if url.to_string().starts_with("mysql:") => "mysql",
        Database::Server { .. } => "postgres",
    }
}

/// How long the database may take to answer at the start: longer than its restart takes, shorter than a supervisor waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a connection counts as lost: longer than one change waits for another, so that a slow one does not.
const VANISHED_AFTER: Duration = Duration::from_secs(60);

/// Less than a call may take, so that its caller gets the reason.
const SLOWEST_READ: Duration = Duration::from_secs(20);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Retries until the database answers or fails permanently; `refused` holds the latest error.
async fn retry(config: &DatabaseConfig, refused: &mut Option<StoreError>) -> Result<SqlStore, StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match open_once(config).await {
            Err(error @ StoreError::Unavailable(_)) => {
                if refused.is_none() {
                    warn!(error = %error, database.location = describe(config), "waiting for the database");
                }
                *refused = Some(error);
            }
            opened => {
                if opened.is_ok() && refused.is_some() {
                    info!("the database answers");
                }
                return opened;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn open_once(config: &DatabaseConfig) -> Result<SqlStore, StoreError> {
    SqlStore::open(Options {
        location: location(config),
        max_connections: config.max_connections,
        acquire_timeout: config.timeout,
        slowest_read: SLOWEST_READ,
        connect_timeout: config.timeout,
        vanished_after: VANISHED_AFTER,
    })
    .await
}

fn location(config: &DatabaseConfig) -> Location {
    match &config.location {
        Database::Embedded { file } => Location::Sqlite(file.clone()),
        Database::Server { url } => Location::Server(url.expose().to_owned()),
    }
}
