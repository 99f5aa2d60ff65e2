//! Removals that are not finished.

use domain::{
    audit::Actor,
    key::Deletion,
    name::ServiceAccountName,
    removal::{Removal, Removed},
    time::Timestamp,
};
use sea_orm::entity::prelude::*;

use crate::{ports::StoreError, store::columns::read};

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
    /// Empty for Keystile itself, as is the key.
    pub actor_account: String,
    pub actor_key: String,
    #[sea_orm(column_type = "Text")]
    pub peer: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Removal> for Model {
    fn from(removal: &Removal) -> Self {
        let (project, account, generation, delete_time, purge_time) = match &removal.of {
            Removed::Project(id) => (id, String::new(), 0, 0, 0),
            Removed::ServiceAccount { name, generation, deletion } => (
                &name.project,
                name.service_account.to_string(),
                *generation,
                deletion.time.as_micros(),
                deletion.purge_time.as_micros(),
            ),
        };
        let (actor_account, actor_key) = match &removal.actor {
            Actor::Caller { service_account, key } => (service_account.to_string(), key.to_string()),
            Actor::Keystile => Default::default(),
        };
        Self {
            project_id: project.to_string(),
            service_account_id: account,
            account_generation: generation,
            delete_time,
            purge_time,
            actor_account,
            actor_key,
            peer: removal.peer.clone(),
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
        let actor = if row.actor_account.is_empty() {
            Actor::Keystile
        } else {
            Actor::Caller {
                service_account: read("removals.actor_account", &row.actor_account)?,
                key: read("removals.actor_key", &row.actor_key)?,
            }
        };
        Ok(Self { of, actor, peer: row.peer })
    }
}
