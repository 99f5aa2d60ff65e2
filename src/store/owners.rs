//! Reading projects and service accounts.

use std::collections::HashMap;

use domain::{
    filter::Filter,
    id::{ProjectId, ServiceAccountId},
    listing::{AccountOrder, AccountTest},
    page::Page,
    project::Project,
    service_account::ServiceAccount,
    text::DisplayName,
    time::Timestamp,
};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect};

use crate::ports::{StoreError, store::Called};

use super::{
    error::failed,
    filter,
    paging::{self, Sort},
    rows::{projects, read, service_accounts},
};

pub(super) async fn project(db: &DatabaseConnection, id: &ProjectId) -> Result<Option<Project>, StoreError> {
    projects::Entity::find_by_id(id.as_str())
        .filter(projects::Column::DeleteTime.is_null())
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

pub(super) async fn projects(db: &DatabaseConnection, page: &Page<()>) -> Result<Vec<Project>, StoreError> {
    let sort = Sort {
        column: projects::Column::CreateTime,
        id: Some(projects::Column::Id),
        index: Some("projects_by_create_time"),
    };
    let rows = projects::Entity::find().filter(projects::Column::DeleteTime.is_null());
    let rows = paging::page(rows, db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub(super) async fn service_account(
    db: &DatabaseConnection,
    project: &ProjectId,
    id: &ServiceAccountId,
) -> Result<Option<ServiceAccount>, StoreError> {
    service_accounts::Entity::find_by_id((project.to_string(), id.to_string()))
        .filter(filter::in_living_project(service_accounts::Column::ProjectId))
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

pub(super) async fn service_accounts(
    db: &DatabaseConnection,
    project: &ProjectId,
    filter: &Filter<AccountTest>,
    page: &Page<AccountOrder>,
) -> Result<Vec<ServiceAccount>, StoreError> {
    use service_accounts::Column;

    let (column, index) = match page.order.by {
        AccountOrder::CreateTime => (Column::CreateTime, "service_accounts_by_create_time"),
        AccountOrder::DisplayName => (Column::DisplayName, "service_accounts_by_display_name"),
    };
    let sort =
        Sort { column, id: Some(Column::Id), index: (*filter == Filter::everything()).then_some(index) };
    let rows =
        paging::page(filter::service_accounts(project, filter), db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub(super) async fn display_names(
    db: &DatabaseConnection,
    project: &ProjectId,
    ids: &[ServiceAccountId],
) -> Result<HashMap<ServiceAccountId, Called>, StoreError> {
    use service_accounts::Column;

    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, i64)> = service_accounts::Entity::find()
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
    rows.iter()
        .map(|(id, name, since)| {
            let called = Called {
                display_name: DisplayName::from_stored(name),
                since: Timestamp::from_micros(*since),
            };
            Ok((read("service_accounts.id", id)?, called))
        })
        .collect()
}
