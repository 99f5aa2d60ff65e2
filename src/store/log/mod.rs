//! The change log: one row for every event, and the head that says where it ends.

pub(super) mod head;
pub(super) mod row;

use async_trait::async_trait;
use domain::{
    Revision,
    access::Projects,
    audit::{Event, Head},
    filter::Filter,
    id::ProjectId,
    page::Page,
    query::EventTest,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use crate::{
    ports::{Feed, ReadLog, StoreError, feed::FeedEntry},
    store::{
        SqlStore,
        error::failed,
        filter::{compare, is_text, narrow},
        keyset::{self, Sort},
    },
};

use row::{Column, Entity, hash_or_none};

#[async_trait]
impl ReadLog for SqlStore {
    async fn events(
        &self,
        of: &Projects,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(list(&read, of, filter, &page)).await;
        read.done(answer)
    }

    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(from(&read, start, most)).await;
        read.done(answer)
    }

    async fn head(&self) -> Result<Head, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(newest(&read)).await;
        read.done(answer)
    }
}

#[async_trait]
impl Feed for SqlStore {
    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<FeedEntry>, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(changes_after(&read, revision, most)).await;
        read.done(answer)
    }

    async fn head_for_verifications(&self) -> Result<Head, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(newest(&read)).await;
        read.done(answer)
    }
}

async fn list(
    db: &DatabaseConnection,
    of: &Projects,
    filter: &Filter<EventTest>,
    page: &Page<()>,
) -> Result<Vec<Event>, StoreError> {
    let mut rows = passing(filter);
    let mut index = None;
    if let Projects::These(projects) = of {
        rows = match &**projects {
            [project] => {
                index = Some("audit_events_by_project");
                rows.filter(Column::ProjectId.eq(project.as_str()))
            }
            several => rows.filter(Column::ProjectId.is_in(several.iter().map(ProjectId::as_str))),
        };
    }
    let sort =
        Sort { column: Column::Revision, id: None, index: index.filter(|_| *filter == Filter::everything()) };
    let rows = keyset::page(rows, db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

async fn from(db: &DatabaseConnection, start: Revision, most: u64) -> Result<Vec<Event>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Revision.gte(start))
        .order_by_asc(Column::Revision)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

async fn changes_after(
    db: &DatabaseConnection,
    revision: Revision,
    most: u64,
) -> Result<Vec<FeedEntry>, StoreError> {
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
    Ok(rows.into_iter().map(entry).collect())
}

fn entry((revision, target, previous, hash): (Revision, String, Vec<u8>, Vec<u8>)) -> FeedEntry {
    FeedEntry { revision, target, previous_hash: hash_or_none(&previous), hash: hash_or_none(&hash) }
}

/// Whether the event that made this the head is in the log.
pub(super) async fn contains(db: &impl ConnectionTrait, head: Head) -> Result<bool, DbErr> {
    let event = Entity::find_by_id(head.revision).filter(Column::Hash.eq(head.hash.to_vec()));
    Ok(event.count(db).await? > 0)
}

async fn newest(db: &DatabaseConnection) -> Result<Head, StoreError> {
    head::Entity::find_by_id(head::ONLY)
        .one(db)
        .await
        .map_err(failed)?
        .ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?
        .try_into()
}

fn passing(filter: &Filter<EventTest>) -> Select<Entity> {
    narrow(Entity::find(), filter, &|test| match test {
        EventTest::Actor(name) => Column::ActorAccount.eq(name.service_account.as_str()),
        EventTest::Action(action) => is_text(Column::Action, action),
        EventTest::Target(target) => is_text(Column::Target, target),
        EventTest::Time(by, time) => compare(Column::Time, *by, time.as_micros()),
        EventTest::Revision(by, revision) => compare(Column::Revision, *by, *revision),
    })
}
