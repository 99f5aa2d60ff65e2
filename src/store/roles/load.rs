//! Roles as verifications need them.

use domain::id::{ProjectId, RoleId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, FromQueryResult, Iterable, QueryResult,
    sea_query::{ExprTrait, SelectStatement},
};

use crate::{
    ports::{StoreError, roles::LoadedRoles},
    store::{
        error::failed,
        log::head as change_head,
        with_head::{self, add, column},
    },
};

use super::row::{Column, Entity, Model};

/// What the columns of a role are prefixed with.
const ROLE: &str = "role_";

pub(super) async fn run(
    db: &DatabaseConnection,
    project: &ProjectId,
    ids: &[RoleId],
) -> Result<LoadedRoles, StoreError> {
    let rows = db.query_all(&query(project, ids)).await.map_err(failed)?;
    let head = with_head::head(&rows)?;
    let mut roles = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(role) = role(row)? {
            roles.push(role.try_into()?);
        }
    }
    Ok(LoadedRoles { roles, head })
}

/// `None` in the one row of the head when there is no such role.
fn role(row: &QueryResult) -> Result<Option<Model>, StoreError> {
    let id: Option<String> = row.try_get(ROLE, "id").map_err(failed)?;
    id.map(|_| Model::from_query_result(row, ROLE)).transpose().map_err(failed)
}

fn query(project: &ProjectId, ids: &[RoleId]) -> SelectStatement {
    let mut query = with_head::select();
    add(&mut query, Column::iter(), ROLE);
    let wanted = Column::ProjectId.eq(project.as_str()).and(Column::Id.is_in(ids.iter().map(RoleId::as_str)));
    query.left_join(Entity, wanted).and_where(column(change_head::Column::Id).eq(change_head::ONLY));
    query
}
