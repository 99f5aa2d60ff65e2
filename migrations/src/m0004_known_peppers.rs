//! Adds a check value for each pepper, so that another pepper under the same version is detected.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, hash};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_known_peppers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Dialect::of(manager)
            .await?
            .table("peppers")
            .col(ColumnDef::new("version").integer().not_null().primary_key())
            .col(hash("check_value"))
            .take();
        manager.create_table(table).await
    }
}
