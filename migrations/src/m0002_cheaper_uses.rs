//! Drops an index that every use of a key had to move in, and that nothing but a warm start reads.
//!
//! A warm start finds the keys used last in the index that lists them by project, from end to end but once.

use sea_orm_migration::prelude::*;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_cheaper_uses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_index("keys", "keys_lately_used").await? {
            manager.drop_index(Index::drop().name("keys_lately_used").table("keys").to_owned()).await?;
        }
        Ok(())
    }
}
