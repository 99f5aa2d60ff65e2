//! The change log with its head, and the request ids that make retries safe.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, hash, index, number};

pub(super) async fn up(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    change_head(manager, dialect).await?;
    audit_events(manager, dialect).await?;
    requests(manager, dialect).await
}

/// One row, which every change locks first and updates last: it puts changes in one order.
async fn change_head(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("change_head")
        .col(number("id").primary_key())
        .col(number("revision"))
        .col(hash("hash"))
        .take();
    manager.create_table(table).await?;
    let present = Query::select().column("id").from("change_head").take();
    if manager.get_connection().query_one(&present).await?.is_some() {
        return Ok(());
    }
    let genesis = Query::insert()
        .into_table("change_head")
        .columns(["id", "revision", "hash"])
        .values_panic([1_i64.into(), 0_i64.into(), vec![0_u8; 32].into()])
        .take();
    manager.execute(genesis).await
}

async fn audit_events(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("audit_events")
        .col(number("revision").primary_key())
        .col(number("time"))
        .col(dialect.text("project_id", 63))
        .col(dialect.text("actor_account", 63))
        .col(dialect.text("actor_key", 22))
        .col(dialect.text("action", 64))
        .col(dialect.text("target", 255))
        .col(dialect.long_text("request_id"))
        .col(dialect.long_text("peer"))
        .col(dialect.long_text("before_json"))
        .col(dialect.long_text("after_json"))
        .col(hash("previous_hash"))
        .col(hash("hash"))
        .take();
    manager.create_table(table).await?;
    for (name, columns) in [
        ("audit_events_by_project", &["project_id", "revision"] as &[_]),
        ("audit_events_by_actor", &["actor_account", "revision"]),
        ("audit_events_by_action", &["action", "revision"]),
        ("audit_events_by_target", &["target", "revision"]),
        ("audit_events_by_time", &["time", "revision"]),
    ] {
        index(manager, "audit_events", name, columns).await?;
    }
    Ok(())
}

async fn requests(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("requests")
        .col(hash("id").primary_key())
        .col(hash("fingerprint"))
        .col(dialect.long_text("target"))
        .col(number("time"))
        .take();
    manager.create_table(table).await?;
    index(manager, "requests", "requests_by_time", &["time"]).await
}
