//! Reading keys.

use std::collections::HashMap;

use domain::{
    Revision,
    id::{Generation, KeyId, ProjectId},
    key::Key,
    name::{RoleName, ServiceAccountName},
    page::{Cursor, Id, Page, SortValue},
    query::KeyOrder,
    removal::Removed,
    resource::Resource,
    service_account::ServiceAccount,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{
        StoreError,
        cleanup::{KeyAt, Removable},
        keys::{KeyCounts, KeyQuery},
    },
    store::{
        error::failed,
        filter::nothing,
        keyset::{self, Sort},
        projects,
        service_accounts::row as service_accounts,
    },
};

use super::{
    access::Granting,
    filter,
    row::{Column, Entity, Model, lifecycle},
    secrets, terms,
};

pub(super) async fn one(
    db: &DatabaseConnection,
    project: Option<&ProjectId>,
    id: KeyId,
) -> Result<Option<Key>, StoreError> {
    // Together, so that no rotation comes in between.
    let mut key = Entity::find_by_id(id.as_uuid())
        .filter(projects::is_living(Column::ProjectId))
        .find_with_related(secrets::Entity);
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
    let granting = Granting::read(db, query).await?;
    let rows = filter::queried(query, &granting);
    let (column, index) = match page.order.by {
        KeyOrder::CreateTime => (Column::CreateTime, "keys_by_create_time"),
        KeyOrder::DisplayName => (Column::DisplayName, "keys_by_display_name"),
        KeyOrder::LastUsedTime => (Column::LastUsedTime, "keys_by_last_used_time"),
        KeyOrder::ExpireTime => (Column::ExpireTime, "keys_by_expire_time"),
    };
    let sort =
        Sort { column, id: Some(Column::Id), index: (!filter::picks_few(query.filter)).then_some(index) };
    let rows = keyset::page(rows, db.get_database_backend(), &sort, page);
    with_secrets(db, rows.all(db).await.map_err(failed)?).await
}

pub(in crate::store) async fn to_remove(
    db: &DatabaseConnection,
    which: Removable<'_>,
    page: &Page<()>,
) -> Result<Vec<KeyAt>, StoreError> {
    let in_order = |rows, column, index| {
        let sort = Sort { column, id: Some(Column::Id), index: Some(index) };
        (keyset::page(rows, db.get_database_backend(), &sort, page), column)
    };
    let of_project = |id: &ProjectId| Entity::find().filter(Column::ProjectId.eq(id.as_str()));
    let (rows, column) = match which {
        Removable::Due(now) => {
            let rows = Entity::find().filter(filter::is_due(now));
            in_order(rows, Column::PurgeTime, "keys_by_purge_time")
        }
        Removable::LeftBehind(Removed::Project(id)) => {
            in_order(of_project(id), Column::CreateTime, "keys_by_create_time")
        }
        Removable::LeftBehind(Removed::ServiceAccount { name, generation, .. }) => {
            let rows = of_project(&name.project)
                .filter(Column::ServiceAccountId.eq(name.service_account.as_str()))
                .filter(Column::AccountGeneration.eq(*generation))
                .filter(Column::Lifecycle.lt(lifecycle::DELETED));
            in_order(rows, Column::CreateTime, "keys_by_service_account")
        }
        Removable::LeftBehind(Removed::Role(name)) => (holders(name, page), Column::CreateTime),
    };
    with_cursors(db, rows.all(db).await.map_err(failed)?, column).await
}

/// A page of the keys that hold the role, in the order of their terms, which is that of ids.
fn holders(name: &RoleName, page: &Page<()>) -> Select<Entity> {
    let keys = filter::holding(&name.role, &name.project).order_by_asc(terms::Column::KeyId).limit(page.size);
    match page.after.as_ref().map(Cursor::uuid) {
        None => keys,
        Some(Some(id)) => keys.filter(terms::Column::KeyId.gt(id)),
        Some(None) => keys.filter(nothing()),
    }
}

fn cursor(row: &Model, column: Column) -> Cursor {
    let value = if matches!(column, Column::PurgeTime) { row.purge_time } else { row.create_time };
    Cursor { value: SortValue::Number(value), id: Id::Uuid(row.id.as_u128()) }
}

pub(in crate::store) async fn lately_used(
    db: &DatabaseConnection,
    most: u64,
) -> Result<Vec<KeyId>, StoreError> {
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
    let broken = |_| StoreError::Broken("the id of a key is invalid".into());
    ids.into_iter().map(|id| KeyId::from_uuid(id).map_err(broken)).collect()
}

pub(super) async fn count(db: &DatabaseConnection, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
    let granting = Granting::read(db, query).await?;
    counts(db, query, &granting).await.map_err(failed)
}

async fn counts(
    db: &DatabaseConnection,
    query: KeyQuery<'_>,
    granting: &Granting,
) -> Result<KeyCounts, DbErr> {
    let past = Expr::case(filter::is_past(query.now), 1).finally(0);
    let query = KeyQuery { show_deleted: true, ..query };
    let groups: Vec<(i16, i32, i64)> = filter::queried(query, granting)
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

/// The keys of the account that are not deleted.
fn living_of_account(owner: &ServiceAccountName, generation: Generation) -> Select<Entity> {
    Entity::find()
        .filter(Column::ProjectId.eq(owner.project.as_str()))
        .filter(Column::ServiceAccountId.eq(owner.service_account.as_str()))
        .filter(Column::AccountGeneration.eq(generation))
        .filter(Column::Lifecycle.lt(lifecycle::DELETED))
}

pub(super) async fn some_of_account(
    db: &DatabaseConnection,
    account: &ServiceAccount,
    most: u64,
) -> Result<Vec<Key>, StoreError> {
    let rows = living_of_account(&account.name(), account.generation).limit(most).all(db).await;
    with_secrets(db, rows.map_err(failed)?).await
}

/// How many keys the account has that are not deleted, and the newest revision of them. Of more than `most` keys, only so many
/// are looked at.
pub(in crate::store) async fn extent(
    db: &impl ConnectionTrait,
    owner: &ServiceAccountName,
    generation: Generation,
    most: u64,
) -> Result<(u64, Revision), DbErr> {
    let revisions: Vec<Revision> = living_of_account(owner, generation)
        .select_only()
        .column(Column::Revision)
        .limit(most)
        .into_tuple()
        .all(db)
        .await?;
    Ok((revisions.len() as u64, revisions.into_iter().max().unwrap_or_default()))
}

/// The keys of `project` that were written before keys had roles, the oldest first.
pub(super) async fn from_before_roles(
    db: &DatabaseConnection,
    project: &ProjectId,
    page: &Page<()>,
) -> Result<Vec<KeyAt>, StoreError> {
    let rows = Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(Column::Roles.is_null());
    let sort = Sort { column: Column::CreateTime, id: Some(Column::Id), index: None };
    let rows = keyset::page(rows, db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    with_cursors(db, rows, Column::CreateTime).await
}

async fn with_cursors(
    db: &DatabaseConnection,
    rows: Vec<Model>,
    column: Column,
) -> Result<Vec<KeyAt>, StoreError> {
    let cursors: Vec<_> = rows.iter().map(|row| cursor(row, column)).collect();
    let keys = each_with_secrets(db, rows).await?;
    Ok(cursors.into_iter().zip(keys).map(|(cursor, key)| KeyAt { cursor, key }).collect())
}

async fn with_secrets(db: &DatabaseConnection, rows: Vec<Model>) -> Result<Vec<Key>, StoreError> {
    each_with_secrets(db, rows).await?.into_iter().collect()
}

/// Those that cannot be read spoil no other.
async fn each_with_secrets(
    db: &DatabaseConnection,
    rows: Vec<Model>,
) -> Result<Vec<Result<Key, StoreError>>, StoreError> {
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
    let key = |row: Model| {
        let its = secrets.remove(&row.id).unwrap_or_default();
        row.into_key(its)
    };
    Ok(rows.into_iter().map(key).collect())
}

/// The keys of the account of the query around, deleted or not.
pub(in crate::store) fn of_account() -> Select<Entity> {
    let equal = |column: service_accounts::Column, of_key: Column| {
        Expr::col(column.as_column_ref()).equals(of_key.as_column_ref())
    };
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(equal(service_accounts::Column::ProjectId, Column::ProjectId))
        .filter(equal(service_accounts::Column::Id, Column::ServiceAccountId))
        .filter(equal(service_accounts::Column::Generation, Column::AccountGeneration))
}
