//! Roles.

mod load;
pub(super) mod row;
mod write;

use async_trait::async_trait;
use domain::{
    access::{Grant, Permission},
    filter::Filter,
    id::{ProjectId, RoleId},
    name::RoleName,
    page::Page,
    query::{RoleOrder, RoleTest},
    role::Role,
};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::{
    ports::{LoadRoles, ReadRoles, StoreError, roles::LoadedRoles},
    store::{
        SqlStore,
        columns::{read, read_list},
        error::failed,
        filter::{compare, is_text, narrow},
        keyset::{self, Sort},
        projects,
    },
};

use row::{Column, Entity};

#[async_trait]
impl ReadRoles for SqlStore {
    async fn role(&self, project: &ProjectId, id: &RoleId) -> Result<Option<Role>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(one(&read, project, id)).await;
        read.done(answer)
    }

    async fn roles_named(&self, project: &ProjectId, ids: &[RoleId]) -> Result<Vec<Role>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.admin.begin().await?;
        let answer = read.within(some(&read, project, ids)).await;
        read.done(answer)
    }

    async fn roles(
        &self,
        project: &ProjectId,
        filter: &Filter<RoleTest>,
        page: Page<RoleOrder>,
    ) -> Result<Vec<Role>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(list(&read, project, filter, &page)).await;
        read.done(answer)
    }
}

#[async_trait]
impl LoadRoles for SqlStore {
    async fn load_roles(&self, project: &ProjectId, ids: &[RoleId]) -> Result<LoadedRoles, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(load::run(&read, project, ids)).await;
        read.done(answer)
    }
}

async fn one(db: &DatabaseConnection, project: &ProjectId, id: &RoleId) -> Result<Option<Role>, StoreError> {
    Entity::find_by_id((project.to_string(), id.to_string()))
        .filter(projects::is_living(Column::ProjectId))
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

async fn some(db: &DatabaseConnection, project: &ProjectId, ids: &[RoleId]) -> Result<Vec<Role>, StoreError> {
    let rows = Entity::find()
        .filter(Column::ProjectId.eq(project.as_str()))
        .filter(Column::Id.is_in(ids.iter().map(RoleId::as_str)))
        .filter(projects::is_living(Column::ProjectId))
        .all(db)
        .await
        .map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

async fn list(
    db: &DatabaseConnection,
    project: &ProjectId,
    filter: &Filter<RoleTest>,
    page: &Page<RoleOrder>,
) -> Result<Vec<Role>, StoreError> {
    let (column, index) = match page.order.by {
        RoleOrder::CreateTime => (Column::CreateTime, "roles_by_create_time"),
        RoleOrder::DisplayName => (Column::DisplayName, "roles_by_display_name"),
    };
    let sort =
        Sort { column, id: Some(Column::Id), index: (*filter == Filter::everything()).then_some(index) };
    let rows = keyset::page(passing(project, filter), db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The roles of `project` that grant each of `permissions`. Roles are read in portions, because they may be large.
pub(super) async fn granting(
    db: &DatabaseConnection,
    project: &ProjectId,
    permissions: Vec<Permission>,
) -> Result<Vec<(Permission, Vec<RoleId>)>, StoreError> {
    const PORTION: u64 = 200;
    let mut granting: Vec<_> = permissions.into_iter().map(|permission| (permission, Vec::new())).collect();
    if granting.is_empty() {
        return Ok(granting);
    }
    let mut after = String::new();
    loop {
        let rows: Vec<(String, String)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::Permissions)
            .filter(Column::ProjectId.eq(project.as_str()))
            .filter(Column::Id.gt(after.as_str()))
            .order_by_asc(Column::Id)
            .limit(PORTION)
            .into_tuple()
            .all(db)
            .await
            .map_err(failed)?;
        let Some((last, _)) = rows.last() else { return Ok(granting) };
        after = last.clone();
        for (id, permissions) in &rows {
            let id: RoleId = read("roles.id", id)?;
            let grants: Vec<Grant> = read_list("roles.permissions", permissions)?;
            for (permission, roles) in &mut granting {
                if grants.iter().any(|grant| grant.allows(permission.as_str())) {
                    roles.push(id.clone());
                }
            }
        }
    }
}

/// All roles of `project`.
pub(super) fn of(project: &ProjectId) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project.as_str()))
}

pub(super) fn named(name: &RoleName) -> Select<Entity> {
    Entity::find_by_id((name.project.to_string(), name.role.to_string()))
}

/// Those of `project` but the built-in ones.
pub(super) fn custom(project: &ProjectId) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(Column::BuiltIn.eq(false))
}

/// The roles of `project` that pass `filter`.
fn passing(project: &ProjectId, filter: &Filter<RoleTest>) -> Select<Entity> {
    narrow(of(project), filter, &|test| match test {
        RoleTest::BuiltIn => Column::BuiltIn.eq(true),
        RoleTest::DisplayName(name) => is_text(Column::DisplayName, name),
        RoleTest::CreateTime(by, time) => compare(Column::CreateTime, *by, time.as_micros()),
        RoleTest::UpdateTime(by, time) => compare(Column::UpdateTime, *by, time.as_micros()),
    })
}
