//! Reading keys.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid,
    sea_query::Expr,
};

use crate::{
    domain::{
        id::{KeyId, ProjectId},
        key::Key,
        listing::KeyOrder,
        page::Page,
        time::Timestamp,
    },
    ports::{
        StoreError,
        store::{KeyCounts, KeyQuery},
    },
};

use super::{
    error::failed,
    filter,
    paging::{self, Sort},
    rows::{
        keys::{Column, Entity, Model, lifecycle},
        secrets,
    },
};

pub(super) async fn one(
    db: &DatabaseConnection,
    project: Option<&ProjectId>,
    id: KeyId,
) -> Result<Option<Key>, StoreError> {
    // Together, so that no rotation comes in between.
    let mut key = Entity::find_by_id(id.as_uuid()).find_with_related(secrets::Entity);
    if let Some(project) = project {
        key = key.filter(Column::ProjectId.eq(project.as_str()));
    }
    let found = key.all(db).await.map_err(failed)?;
    found.into_iter().next().map(|(row, secrets)| row.into_key(secrets)).transpose()
}

pub(super) async fn list(
    db: &DatabaseConnection,
    query: KeyQuery<'_>,
    page: &Page<KeyOrder>,
) -> Result<Vec<Key>, StoreError> {
    let mut rows = filter::keys(query);
    if !query.show_deleted {
        rows = rows.filter(Column::Lifecycle.lt(lifecycle::DELETED));
    }
    let (column, index) = match page.order.by {
        KeyOrder::CreateTime => (Column::CreateTime, "keys_by_create_time"),
        KeyOrder::DisplayName => (Column::DisplayName, "keys_by_display_name"),
        KeyOrder::LastUsedTime => (Column::LastUsedTime, "keys_by_last_used_time"),
        KeyOrder::ExpireTime => (Column::ExpireTime, "keys_by_expire_time"),
    };
    let sort =
        Sort { column, id: Some(Column::Id), index: (!filter::picks_few(query.filter)).then_some(index) };
    let rows = paging::page(rows, db.get_database_backend(), &sort, page);
    with_secrets(db, rows.all(db).await.map_err(failed)?).await
}

pub(super) async fn purgeable(
    db: &DatabaseConnection,
    now: Timestamp,
    most: u64,
) -> Result<Vec<Key>, StoreError> {
    let rows = Entity::find()
        .filter(Column::PurgeTime.lte(now.as_micros()))
        .order_by_asc(Column::PurgeTime)
        .order_by_asc(Column::Id)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    with_secrets(db, rows).await
}

pub(super) async fn lately_used(db: &DatabaseConnection, most: u64) -> Result<Vec<KeyId>, StoreError> {
    let ids: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::LastUsedTime.gt(0))
        .order_by_desc(Column::LastUsedTime)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
        .map_err(failed)?;
    let broken = |_| StoreError::Broken("a key has an id that is none".into());
    ids.into_iter().map(|id| KeyId::from_uuid(id).map_err(broken)).collect()
}

pub(super) async fn count(db: &DatabaseConnection, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
    counts(db, query).await.map_err(failed)
}

async fn counts(db: &DatabaseConnection, query: KeyQuery<'_>) -> Result<KeyCounts, DbErr> {
    let past = Expr::case(filter::is_past(query.now), 1).finally(0);
    let groups: Vec<(i16, i32, i64)> = filter::keys(query)
        .select_only()
        .column(Column::Lifecycle)
        .expr_as(past, "past")
        .column_as(Column::Id.count(), "number")
        .group_by(Column::Lifecycle)
        .group_by(Expr::col("past"))
        .into_tuple()
        .all(db)
        .await?;
    let mut counts = KeyCounts::default();
    for (lifecycle, past, number) in groups {
        let state = match lifecycle {
            lifecycle::LIVE if past == 0 => &mut counts.active,
            lifecycle::LIVE => &mut counts.expired,
            lifecycle::DISABLED => &mut counts.disabled,
            lifecycle::REVOKED => &mut counts.revoked,
            _ => &mut counts.deleted,
        };
        *state += number.unsigned_abs();
    }
    Ok(counts)
}

async fn with_secrets(db: &DatabaseConnection, rows: Vec<Model>) -> Result<Vec<Key>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut secrets: HashMap<Uuid, Vec<secrets::Model>> = HashMap::with_capacity(rows.len());
    let found = secrets::Entity::find()
        .filter(secrets::Column::KeyId.is_in(rows.iter().map(|row| row.id)))
        .all(db)
        .await
        .map_err(failed)?;
    for secret in found {
        secrets.entry(secret.key_id).or_default().push(secret);
    }
    rows.into_iter()
        .map(|row| {
            let its = secrets.remove(&row.id).unwrap_or_default();
            row.into_key(its)
        })
        .collect()
}
