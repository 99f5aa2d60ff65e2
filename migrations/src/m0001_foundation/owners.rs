//! Projects and service accounts.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, flag, index, number, optional_number, owned_by, primary_key, uuid};

pub(super) async fn up(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    projects(manager, dialect).await?;
    service_accounts(manager, dialect).await
}

async fn projects(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("projects")
        .col(dialect.text("id", 63).primary_key())
        .col(dialect.text("display_name", 200))
        .col(dialect.text("prefix", 16))
        .col(dialect.long_text("environments"))
        .col(number("retention_seconds"))
        .col(uuid("system_key"))
        .col(number("create_time"))
        .col(number("update_time"))
        .col(number("revision"))
        .take();
    manager.create_table(table).await?;
    index(manager, "projects", "projects_by_create_time", &["create_time", "id"]).await
}

async fn service_accounts(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("service_accounts")
        .col(dialect.text("project_id", 63))
        .col(dialect.text("id", 63))
        .col(dialect.text("display_name", 200))
        .col(dialect.text("external_id", 128))
        .col(dialect.long_text("metadata"))
        .col(dialect.optional_text("created_by", 63))
        .col(number("create_time"))
        .col(number("update_time"))
        .col(optional_number("disable_time"))
        .col(number("last_used_time"))
        .col(flag("protected"))
        .col(number("revision"))
        .primary_key(&mut primary_key(&["project_id", "id"]))
        .foreign_key(&mut owned_by(
            "service_accounts_project",
            ("service_accounts", "project_id"),
            "projects",
        ))
        .take();
    manager.create_table(table).await?;
    for (name, column) in [
        ("service_accounts_by_create_time", "create_time"),
        ("service_accounts_by_display_name", "display_name"),
        ("service_accounts_by_external_id", "external_id"),
        ("service_accounts_by_disable_time", "disable_time"),
    ] {
        index(manager, "service_accounts", name, &["project_id", column, "id"]).await?;
    }
    Ok(())
}
