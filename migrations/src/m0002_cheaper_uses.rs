//! Drops an index that every use of a key updated, although only the preload of the cache read it.
//!
//! The preload scans the index by project and last use instead, once per start.

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
