//! Roles.

use domain::{
    Revision,
    role::Role,
    text::{Description, DisplayName},
    time::Timestamp,
};
use sea_orm::entity::prelude::*;

use crate::{
    ports::StoreError,
    store::columns::{json_list, read, read_list, read_optional},
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "roles")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub display_name: String,
    pub description: String,
    #[sea_orm(column_type = "Text")]
    pub permissions: String,
    #[sea_orm(column_type = "Text")]
    pub endpoints: String,
    pub built_in: bool,
    pub created_by: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn new(role: &Role, revision: Revision) -> Self {
        Self {
            project_id: role.project.to_string(),
            id: role.id.to_string(),
            display_name: role.display_name.to_string(),
            description: role.description.to_string(),
            permissions: json_list(&role.permissions),
            endpoints: json_list(&role.endpoints),
            built_in: role.built_in,
            created_by: role.created_by.as_ref().map(ToString::to_string),
            create_time: role.create_time.as_micros(),
            update_time: role.update_time.as_micros(),
            revision,
        }
    }
}

impl TryFrom<Model> for Role {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            project: read("roles.project_id", &row.project_id)?,
            id: read("roles.id", &row.id)?,
            display_name: DisplayName::from_stored(&row.display_name),
            description: Description::from_stored(&row.description),
            permissions: read_list("roles.permissions", &row.permissions)?,
            endpoints: read_list("roles.endpoints", &row.endpoints)?,
            built_in: row.built_in,
            created_by: read_optional("roles.created_by", row.created_by.as_deref())?,
            create_time: Timestamp::from_micros(row.create_time),
            update_time: Timestamp::from_micros(row.update_time),
            revision: row.revision,
        })
    }
}
