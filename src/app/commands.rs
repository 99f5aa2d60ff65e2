//! What commands other than `serve` do.

use std::sync::Arc;

use crate::{
    config::{Config, create_private_dir},
    verbs::{PepperUsage, Service},
};

use super::{StartError, World, database, peppers};

/// Migrates the database's schema, and answers with the names of the migrations that it applied.
pub async fn migrate(config: &Config) -> Result<Vec<String>, StartError> {
    create_private_dir(&config.data_dir).map_err(StartError::DataDirectory)?;
    let store = database::open(&config.database).await?;
    let applied = database::migrate(&store).await;
    store.close().await;
    applied
}

/// Every pepper that is configured or that stored secrets need, newest first. Migrates the schema, but creates no root key.
pub async fn pepper_usage(config: &Config, world: World) -> Result<Vec<PepperUsage>, StartError> {
    create_private_dir(&config.data_dir).map_err(StartError::DataDirectory)?;
    let store = database::open(&config.database).await?;
    database::migrate(&store).await?;
    let World { clock, random } = world;
    let peppers = peppers::load(&config.peppers, &*store, &*random).await?;
    let service = Service::new(Arc::clone(&store) as _, clock, random, peppers, Arc::new(()));
    let usage = service.pepper_usage().await;
    store.close().await;
    Ok(usage?)
}
