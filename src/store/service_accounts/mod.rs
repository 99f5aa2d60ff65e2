//! Service accounts.

pub(super) mod row;
pub(super) mod write;

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{
    filter::Filter,
    id::{Generation, ProjectId, ServiceAccountId},
    key::Key,
    name::ServiceAccountName,
    page::Page,
    query::{AccountOrder, AccountTest},
    service_account::ServiceAccount,
    text::DisplayName,
    time::Timestamp,
};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{ReadServiceAccounts, StoreError, service_accounts::AccountLabel},
    store::{
        SqlStore,
        columns::read,
        error::failed,
        filter::{compare, is_text, narrow},
        keys,
        keyset::{self, Sort},
        projects,
    },
};

use row::{Column, Entity};

#[async_trait]
impl ReadServiceAccounts for SqlStore {
    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(one(&read, project, id)).await;
        read.done(answer)
    }

    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(list(&read, project, filter, &page)).await;
        read.done(answer)
    }

    async fn account_labels(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, AccountLabel>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(labels(&read, project, ids)).await;
        read.done(answer)
    }
}

async fn one(
    db: &DatabaseConnection,
    project: &ProjectId,
    id: &ServiceAccountId,
) -> Result<Option<ServiceAccount>, StoreError> {
    Entity::find_by_id((project.to_string(), id.to_string()))
        .filter(projects::is_living(Column::ProjectId))
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

async fn list(
    db: &DatabaseConnection,
    project: &ProjectId,
    filter: &Filter<AccountTest>,
    page: &Page<AccountOrder>,
) -> Result<Vec<ServiceAccount>, StoreError> {
    let (column, index) = match page.order.by {
        AccountOrder::CreateTime => (Column::CreateTime, "service_accounts_by_create_time"),
        AccountOrder::DisplayName => (Column::DisplayName, "service_accounts_by_display_name"),
    };
    let sort =
        Sort { column, id: Some(Column::Id), index: (*filter == Filter::everything()).then_some(index) };
    let rows = keyset::page(passing(project, filter), db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

async fn labels(
    db: &DatabaseConnection,
    project: &ProjectId,
    ids: &[ServiceAccountId],
) -> Result<HashMap<ServiceAccountId, AccountLabel>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, i64)> = Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::DisplayName)
        .column(Column::CreateTime)
        .filter(Column::ProjectId.eq(project.as_str()))
        .filter(Column::Id.is_in(ids.iter().map(ServiceAccountId::as_str)))
        .into_tuple()
        .all(db)
        .await
        .map_err(failed)?;
    let label = |(id, name, since): &(String, String, i64)| {
        let display_name = DisplayName::from_stored(name);
        let label = AccountLabel { display_name, since: Timestamp::from_micros(*since) };
        Ok((read("service_accounts.id", id)?, label))
    };
    rows.iter().map(label).collect()
}

/// The accounts of `project` that pass `filter`.
fn passing(project: &ProjectId, filter: &Filter<AccountTest>) -> Select<Entity> {
    let rows = Entity::find().filter(Column::ProjectId.eq(project.as_str()));
    narrow(rows, filter, &|test| match test {
        AccountTest::Disabled => Column::DisableTime.is_not_null(),
        AccountTest::DisplayName(name) => is_text(Column::DisplayName, name),
        AccountTest::ExternalId(id) => is_text(Column::ExternalId, id),
        AccountTest::CreateTime(by, time) => compare(Column::CreateTime, *by, time.as_micros()),
    })
}

/// The account `name`, if it is of this generation and its project is not deleted.
pub(super) fn of_generation(name: &ServiceAccountName, generation: Generation) -> Select<Entity> {
    Entity::find_by_id((name.project.to_string(), name.service_account.to_string()))
        .filter(Column::Generation.eq(generation))
        .filter(projects::is_living(Column::ProjectId))
}

/// Those of `project` but the one that owns its system key.
pub(super) fn unprotected(project: &ProjectId) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(Column::Protected.eq(false))
}

/// The implicit accounts that own some of `those`, and no others.
pub(super) async fn implicit_owners(
    db: &DatabaseConnection,
    those: &[Key],
) -> Result<Vec<ServiceAccount>, StoreError> {
    if those.is_empty() {
        return Ok(Vec::new());
    }
    let owner = |key: &Key| {
        Column::ProjectId
            .eq(key.project.as_str())
            .and(Column::Id.eq(key.service_account.as_str()))
            .and(Column::Generation.eq(key.account_generation))
    };
    let owners = those.iter().map(owner).fold(Condition::any(), Condition::add);
    let others = keys::read::of_account()
        .filter(keys::row::Column::Id.is_not_in(those.iter().map(|key| key.id.as_uuid())));
    let rows = Entity::find()
        .filter(Column::Implicit.eq(true))
        .filter(owners)
        .filter(Expr::exists(others.into_query()).not())
        .all(db)
        .await
        .map_err(failed)?;
    // One that cannot be read stays.
    Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
}
