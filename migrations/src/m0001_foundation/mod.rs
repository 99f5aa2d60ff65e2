//! Projects, service accounts, keys, and the change log.

mod change_log;
mod keys;
mod owners;

use sea_orm_migration::prelude::*;

use crate::dialect::Dialect;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_foundation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        change_log::up(manager, &dialect).await?;
        owners::up(manager, &dialect).await?;
        keys::up(manager, &dialect).await
    }
}
