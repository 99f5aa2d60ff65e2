//! Adds generations, which distinguish accounts of the same id, and removals, which continue after their response.
//!
//! Existing rows get generation 0. A deleted key that is older than its account belonged to an earlier account.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, column, index, number, optional_number, owned_by, primary_key};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_lifecycle"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let generation = |name| number(name).default(0).take();
        column(manager, "service_accounts", "generation", generation("generation")).await?;
        let implicit = ColumnDef::new("implicit").boolean().not_null().default(false).take();
        column(manager, "service_accounts", "implicit", implicit).await?;
        column(manager, "keys", "account_generation", generation("account_generation")).await?;
        column(manager, "projects", "delete_time", optional_number("delete_time")).await?;
        orphan(manager).await?;
        removals(manager).await?;
        states(manager).await
    }
}

/// Deleted keys of an earlier account must not belong to a later account of the same id.
async fn orphan(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let of_key = |column: &'static str| Expr::col(("keys", column));
    let of_account = |column: &'static str| Expr::col(("service_accounts", column));
    let later = Query::select()
        .expr(Expr::val(1))
        .from("service_accounts")
        .and_where(of_account("project_id").eq(of_key("project_id")))
        .and_where(of_account("id").eq(of_key("service_account_id")))
        .and_where(of_account("create_time").gt(of_key("create_time")))
        .take();
    let update = Query::update()
        .table("keys")
        .value("account_generation", -1)
        .and_where(of_key("account_generation").eq(0))
        .and_where(of_key("delete_time").is_not_null())
        .and_where(Expr::exists(later))
        .take();
    manager.execute(update).await
}

/// Deleted projects and accounts whose keys are still to be removed. The removal of a project names no account.
async fn removals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager).await?;
    let table = dialect
        .table("removals")
        .col(dialect.text("project_id", 63))
        .col(dialect.text("service_account_id", 63))
        .col(number("account_generation"))
        .col(number("delete_time"))
        .col(number("purge_time"))
        .col(dialect.text("actor_account", 63))
        .col(dialect.text("actor_key", 22))
        .col(dialect.long_text("peer"))
        .primary_key(&mut primary_key(&["project_id", "service_account_id", "account_generation"]))
        .foreign_key(&mut owned_by("removals_project", ("removals", "project_id"), "projects"))
        .take();
    manager.create_table(table).await
}

/// Adds the purge time to the index of counts: a key no longer counts from its purge time on.
async fn states(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = ["project_id", "lifecycle", "expire_time", "purge_time", "id"];
    index(manager, "keys", "keys_by_state", &columns).await?;
    if manager.has_index("keys", "keys_by_lifecycle").await? {
        manager.drop_index(Index::drop().name("keys_by_lifecycle").table("keys").to_owned()).await?;
    }
    Ok(())
}
