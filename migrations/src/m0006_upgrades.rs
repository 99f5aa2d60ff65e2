//! Records which upgrades of the data are done, which the server makes itself because each change of a resource has an event.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, primary_key};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_upgrades"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        let table = dialect
            .table("upgrades")
            .col(dialect.text("name", 63))
            .primary_key(&mut primary_key(&["name"]))
            .take();
        manager.create_table(table).await
    }
}
