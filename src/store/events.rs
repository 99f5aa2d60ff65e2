//! Reading the change log.

use domain::{
    Revision,
    audit::{Event, Head},
    filter::Filter,
    listing::EventTest,
    name::Scope,
    page::Page,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::ports::{StoreError, store::Step};

use super::{
    error::failed,
    filter,
    paging::{self, Sort},
    rows::{
        audit_events::{Column, Entity, hash_or_none},
        change_head,
    },
};

pub(super) async fn list(
    db: &DatabaseConnection,
    scope: &Scope,
    filter: &Filter<EventTest>,
    page: &Page<()>,
) -> Result<Vec<Event>, StoreError> {
    let mut rows = filter::events(filter);
    let mut index = None;
    if let Scope::Project(project) = scope {
        rows = rows.filter(Column::ProjectId.eq(project.as_str()));
        index = Some("audit_events_by_project");
    }
    let sort =
        Sort { column: Column::Revision, id: None, index: index.filter(|_| *filter == Filter::everything()) };
    let rows = paging::page(rows, db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn from(
    db: &DatabaseConnection,
    start: Revision,
    most: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Revision.gte(start))
        .order_by_asc(Column::Revision)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn changes_after(
    db: &DatabaseConnection,
    revision: Revision,
    most: u64,
) -> Result<Vec<Step>, StoreError> {
    let rows: Vec<(Revision, String, Vec<u8>, Vec<u8>)> = Entity::find()
        .select_only()
        .columns([Column::Revision, Column::Target, Column::PreviousHash, Column::Hash])
        .filter(Column::Revision.gt(revision))
        .order_by_asc(Column::Revision)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
        .map_err(failed)?;
    Ok(rows.into_iter().map(step).collect())
}

fn step((revision, target, previous, hash): (Revision, String, Vec<u8>, Vec<u8>)) -> Step {
    Step { revision, target, previous_hash: hash_or_none(&previous), hash: hash_or_none(&hash) }
}

/// Whether the event that made this the head is in the log.
pub(super) async fn contains(db: &impl ConnectionTrait, head: Head) -> Result<bool, DbErr> {
    let event = Entity::find_by_id(head.revision).filter(Column::Hash.eq(head.hash.to_vec()));
    Ok(event.count(db).await? > 0)
}

pub(super) async fn head(db: &DatabaseConnection) -> Result<Head, StoreError> {
    change_head::Entity::find_by_id(change_head::ONLY)
        .one(db)
        .await
        .map_err(failed)?
        .ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?
        .try_into()
}
