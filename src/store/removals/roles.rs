//! Removals of roles from keys.

use domain::{
    name::RoleName,
    removal::{Removal, Removed},
};
use sea_orm::{Condition, QueryOrder, QuerySelect, entity::prelude::*, sea_query::ExprTrait};

use crate::{
    ports::{
        StoreError,
        cleanup::{RemovalAt, RemovalCursor},
    },
    store::{columns::read, error::failed},
};

use super::actor;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "role_removals")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role_id: String,
    pub actor_account: String,
    pub actor_key: String,
    #[sea_orm(column_type = "Text")]
    pub peer: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The first, or those behind the role `after`, which is of a project.
pub(super) async fn list(
    db: &DatabaseConnection,
    after: Option<(&str, &str)>,
    most: u64,
) -> Result<Vec<RemovalAt>, StoreError> {
    let rows = Entity::find()
        .filter(after.map_or_else(Condition::all, behind))
        .order_by_asc(Column::ProjectId)
        .order_by_asc(Column::RoleId)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    let removal = |row: Model| RemovalAt {
        cursor: RemovalCursor::Role { project: row.project_id.clone(), role: row.role_id.clone() },
        removal: row.try_into(),
    };
    Ok(rows.into_iter().map(removal).collect())
}

fn behind((project, role): (&str, &str)) -> Condition {
    Condition::any()
        .add(Column::ProjectId.gt(project))
        .add(Column::ProjectId.eq(project).and(Column::RoleId.gt(role)))
}

impl Model {
    pub(super) fn new(name: &RoleName, removal: &Removal) -> Self {
        let (actor_account, actor_key) = actor::columns(&removal.actor);
        Self {
            project_id: name.project.to_string(),
            role_id: name.role.to_string(),
            actor_account,
            actor_key,
            peer: removal.peer.clone(),
        }
    }
}

impl TryFrom<Model> for Removal {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let name = RoleName {
            project: read("role_removals.project_id", &row.project_id)?,
            role: read("role_removals.role_id", &row.role_id)?,
        };
        let actor = actor::from_columns(&row.actor_account, &row.actor_key)?;
        Ok(Self { of: Removed::Role(name), actor, peer: row.peer })
    }
}
