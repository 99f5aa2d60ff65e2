//! Projects.

pub(super) mod row;
mod write;

use async_trait::async_trait;
use domain::{
    access::Projects,
    id::{ProjectId, RoleId},
    page::Page,
    project::Project,
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{ReadProjects, StoreError},
    store::{
        SqlStore,
        columns::read,
        error::failed,
        keyset::{self, Sort},
        roles::row as roles,
    },
};

use row::{Column, Entity};

#[async_trait]
impl ReadProjects for SqlStore {
    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(one(&read, id)).await;
        read.done(answer)
    }

    async fn projects(&self, among: &Projects, page: Page<()>) -> Result<Vec<Project>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(list(&read, among, &page)).await;
        read.done(answer)
    }
}

async fn one(db: &DatabaseConnection, id: &ProjectId) -> Result<Option<Project>, StoreError> {
    Entity::find_by_id(id.as_str())
        .filter(Column::DeleteTime.is_null())
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

async fn list(
    db: &DatabaseConnection,
    among: &Projects,
    page: &Page<()>,
) -> Result<Vec<Project>, StoreError> {
    let mut rows = Entity::find().filter(Column::DeleteTime.is_null());
    let mut index = Some("projects_by_create_time");
    if let Projects::These(ids) = among {
        rows = rows.filter(Column::Id.is_in(ids.iter().map(ProjectId::as_str)));
        // Few rows, which are found by their ids.
        index = None;
    }
    let sort = Sort { column: Column::CreateTime, id: Some(Column::Id), index };
    let rows = keyset::page(rows, db.get_database_backend(), &sort, page);
    let rows = rows.all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The first of the projects that do not have the role.
pub(super) async fn without_role(
    db: &DatabaseConnection,
    role: &RoleId,
    most: u64,
) -> Result<Vec<ProjectId>, StoreError> {
    let of_project = Expr::col(roles::Column::ProjectId.as_column_ref()).equals(Column::Id.as_column_ref());
    let present = roles::Entity::find()
        .select_only()
        .column(roles::Column::Id)
        .filter(of_project)
        .filter(roles::Column::Id.eq(role.as_str()));
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DeleteTime.is_null())
        .filter(Expr::exists(present.into_query()).not())
        .order_by_asc(Column::Id)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
        .map_err(failed)?;
    ids.iter().map(|id| read("projects.id", id)).collect()
}

/// The project that `column` names is not deleted; what it owned may still be there.
pub(super) fn is_living(column: impl ColumnTrait) -> Expr {
    let living = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Expr::col(Column::Id.as_column_ref()).equals(column.as_column_ref()))
        .filter(Column::DeleteTime.is_null());
    Expr::exists(living.into_query())
}
