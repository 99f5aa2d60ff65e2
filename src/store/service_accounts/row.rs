//! Service accounts.

use domain::{
    Revision,
    labels::Metadata,
    service_account::ServiceAccount,
    text::{DisplayName, ExternalId},
    time::Timestamp,
};
use sea_orm::entity::prelude::*;

use crate::{
    ports::StoreError,
    store::columns::{json, or_not_yet, read, read_json, read_optional, unless_not_yet},
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "service_accounts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub generation: i64,
    pub display_name: String,
    pub external_id: String,
    pub metadata: String,
    pub created_by: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
    pub disable_time: Option<i64>,
    pub last_used_time: i64,
    pub protected: bool,
    pub implicit: bool,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn new(account: &ServiceAccount, revision: Revision) -> Self {
        Self {
            project_id: account.project.to_string(),
            id: account.id.to_string(),
            generation: account.generation,
            display_name: account.display_name.to_string(),
            external_id: account.external_id.to_string(),
            metadata: json(account.metadata.entries()),
            created_by: account.created_by.as_ref().map(ToString::to_string),
            create_time: account.create_time.as_micros(),
            update_time: account.update_time.as_micros(),
            disable_time: account.disable_time.map(Timestamp::as_micros),
            last_used_time: or_not_yet(account.last_used_time),
            protected: account.protected,
            implicit: account.implicit,
            revision,
        }
    }
}

impl TryFrom<Model> for ServiceAccount {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            project: read("service_accounts.project_id", &row.project_id)?,
            id: read("service_accounts.id", &row.id)?,
            generation: row.generation,
            display_name: DisplayName::from_stored(&row.display_name),
            external_id: ExternalId::from_stored(&row.external_id),
            metadata: Metadata::from_stored(read_json("service_accounts.metadata", &row.metadata)?),
            created_by: read_optional("service_accounts.created_by", row.created_by.as_deref())?,
            create_time: Timestamp::from_micros(row.create_time),
            update_time: Timestamp::from_micros(row.update_time),
            disable_time: row.disable_time.map(Timestamp::from_micros),
            last_used_time: unless_not_yet(row.last_used_time),
            protected: row.protected,
            implicit: row.implicit,
            revision: row.revision,
        })
    }
}
