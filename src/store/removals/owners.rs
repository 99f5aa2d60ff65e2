//! Removals of what projects and service accounts owned.

use domain::{
    id::{Generation, ProjectId},
    key::Deletion,
    name::ServiceAccountName,
    removal::{Removal, Removed},
    time::Timestamp,
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
#[sea_orm(table_name = "removals")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    /// Empty when the whole project goes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub service_account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_generation: i64,
    pub delete_time: i64,
    pub purge_time: i64,
    pub actor_account: String,
    pub actor_key: String,
    #[sea_orm(column_type = "Text")]
    pub peer: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The first, or those behind the owner `after`.
pub(super) async fn list(
    db: &DatabaseConnection,
    after: Option<(&str, &str, Generation)>,
    most: u64,
) -> Result<Vec<RemovalAt>, StoreError> {
    let rows = Entity::find()
        .filter(after.map_or_else(Condition::all, behind))
        .order_by_asc(Column::ProjectId)
        .order_by_asc(Column::ServiceAccountId)
        .order_by_asc(Column::AccountGeneration)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    let removal = |row: Model| RemovalAt {
        cursor: RemovalCursor::Owner {
            project: row.project_id.clone(),
            service_account: row.service_account_id.clone(),
            generation: row.account_generation,
        },
        removal: row.try_into(),
    };
    Ok(rows.into_iter().map(removal).collect())
}

fn behind((project, account, generation): (&str, &str, Generation)) -> Condition {
    let of_project = Column::ProjectId.eq(project);
    let of_account = of_project.clone().and(Column::ServiceAccountId.eq(account));
    Condition::any()
        .add(Column::ProjectId.gt(project))
        .add(of_project.and(Column::ServiceAccountId.gt(account)))
        .add(of_account.and(Column::AccountGeneration.gt(generation)))
}

impl Model {
    pub(super) fn of_project(id: &ProjectId, removal: &Removal) -> Self {
        let (actor_account, actor_key) = actor::columns(&removal.actor);
        Self {
            project_id: id.to_string(),
            service_account_id: String::new(),
            account_generation: 0,
            delete_time: 0,
            purge_time: 0,
            actor_account,
            actor_key,
            peer: removal.peer.clone(),
        }
    }

    pub(super) fn of_account(
        name: &ServiceAccountName,
        generation: Generation,
        deletion: Deletion,
        removal: &Removal,
    ) -> Self {
        Self {
            service_account_id: name.service_account.to_string(),
            account_generation: generation,
            delete_time: deletion.time.as_micros(),
            purge_time: deletion.purge_time.as_micros(),
            ..Self::of_project(&name.project, removal)
        }
    }
}

impl TryFrom<Model> for Removal {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let project = read("removals.project_id", &row.project_id)?;
        let of = if row.service_account_id.is_empty() {
            Removed::Project(project)
        } else {
            let service_account = read("removals.service_account_id", &row.service_account_id)?;
            Removed::ServiceAccount {
                name: ServiceAccountName { project, service_account },
                generation: row.account_generation,
                deletion: Deletion {
                    time: Timestamp::from_micros(row.delete_time),
                    purge_time: Timestamp::from_micros(row.purge_time),
                },
            }
        };
        Ok(Self { of, actor: actor::from_columns(&row.actor_account, &row.actor_key)?, peer: row.peer })
    }
}
