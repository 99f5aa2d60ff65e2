//! Keys with their secrets, and the terms by which they are found.
//!
//! Columns that listings order by have no NULLs: "never expires" is the end of time, and "never used" its beginning.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, flag, hash, index, number, optional_number, owned_by, primary_key, uuid};

pub(super) async fn up(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    keys(manager, dialect).await?;
    secrets(manager, dialect).await?;
    key_terms(manager, dialect).await
}

async fn keys(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("keys")
        .col(uuid("id").primary_key())
        .col(dialect.text("project_id", 63))
        .col(dialect.text("service_account_id", 63))
        .col(dialect.text("environment", 31))
        .col(dialect.text("head", 27))
        .col(dialect.text("display_name", 200))
        .col(dialect.long_text("customers"))
        .col(dialect.long_text("allowed_cidrs"))
        .col(dialect.long_text("metadata"))
        .col(dialect.long_text("tags"))
        .col(dialect.optional_text("created_by", 63))
        .col(number("create_time"))
        .col(number("update_time"))
        .col(number("expire_time"))
        .col(number("last_used_time"))
        .col(optional_number("disable_time"))
        .col(optional_number("revoke_time"))
        .col(dialect.text("revoke_reason", 500))
        .col(optional_number("delete_time"))
        .col(number("purge_time"))
        .col(ColumnDef::new("lifecycle").small_integer().not_null())
        .col(flag("protected"))
        .col(number("revision"))
        .foreign_key(&mut owned_by("keys_project", ("keys", "project_id"), "projects"))
        .take();
    manager.create_table(table).await?;
    for (name, columns) in [
        ("keys_by_create_time", &["project_id", "create_time", "id"] as &[_]),
        ("keys_by_update_time", &["project_id", "update_time", "id"]),
        ("keys_by_display_name", &["project_id", "display_name", "id"]),
        ("keys_by_last_used_time", &["project_id", "last_used_time", "id"]),
        ("keys_by_expire_time", &["project_id", "expire_time", "id"]),
        ("keys_by_lifecycle", &["project_id", "lifecycle", "expire_time", "id"]),
        ("keys_by_service_account", &["project_id", "service_account_id", "create_time", "id"]),
        ("keys_by_environment", &["project_id", "environment", "create_time", "id"]),
        ("keys_by_purge_time", &["purge_time", "id"]),
        ("keys_lately_used", &["last_used_time"]),
    ] {
        index(manager, "keys", name, columns).await?;
    }
    Ok(())
}

async fn secrets(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("secrets")
        .col(uuid("key_id"))
        .col(ColumnDef::new("version").integer().not_null())
        .col(hash("digest"))
        .col(ColumnDef::new("pepper_version").integer().not_null())
        .col(number("create_time"))
        .col(number("expire_time"))
        .col(number("last_used_time"))
        .primary_key(&mut primary_key(&["key_id", "version"]))
        .foreign_key(&mut owned_by("secrets_key", ("secrets", "key_id"), "keys"))
        .take();
    manager.create_table(table).await?;
    index(manager, "secrets", "secrets_by_pepper_version", &["pepper_version"]).await
}

async fn key_terms(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("key_terms")
        .col(dialect.text("project_id", 63))
        // A letter may become two in lower case, and the first character is the kind of the term.
        .col(dialect.text("term", 402))
        .col(uuid("key_id"))
        .primary_key(&mut primary_key(&["project_id", "term", "key_id"]))
        .foreign_key(&mut owned_by(
            "key_terms_key",
            ("key_terms", "key_id"),
            "keys",
        ))
        .take();
    manager.create_table(table).await?;
    index(manager, "key_terms", "key_terms_by_key", &["key_id"]).await
}
