//! Projects.

use std::time::Duration;

use domain::{
    Revision,
    id::KeyId,
    project::{Environment, Environments, KeyPolicy, Project, Retention},
    text::DisplayName,
    time::Timestamp,
};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    ports::StoreError,
    store::columns::{json, read, read_json, unreadable},
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub display_name: String,
    pub prefix: String,
    pub environments: String,
    pub retention_seconds: i64,
    /// `None` for a project without a policy.
    #[sea_orm(column_type = "Text", nullable)]
    pub key_policy: Option<String>,
    pub system_key: Uuid,
    pub create_time: i64,
    pub update_time: i64,
    /// Set while what it owned is removed.
    pub delete_time: Option<i64>,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn new(project: &Project, revision: Revision) -> Self {
        let environments: Vec<_> =
            project.environments.iter().map(|it| (it.id.as_str(), it.tag.as_str())).collect();
        Self {
            id: project.id.to_string(),
            display_name: project.display_name.to_string(),
            prefix: project.prefix.to_string(),
            environments: json(&environments),
            retention_seconds: seconds(project.retention.as_duration()),
            key_policy: (project.key_policy != KeyPolicy::default())
                .then(|| key_policy_json(&project.key_policy)),
            system_key: project.system_key.as_uuid(),
            create_time: project.create_time.as_micros(),
            update_time: project.update_time.as_micros(),
            delete_time: None,
            revision,
        }
    }
}

impl TryFrom<Model> for Project {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: read("projects.id", &row.id)?,
            display_name: DisplayName::from_stored(&row.display_name),
            prefix: read("projects.prefix", &row.prefix)?,
            environments: environments(&row.environments)?,
            retention: retention(row.retention_seconds)?,
            key_policy: row.key_policy.as_deref().map(key_policy).transpose()?.unwrap_or_default(),
            system_key: KeyId::from_uuid(row.system_key).map_err(|_| unreadable("projects.system_key"))?,
            create_time: Timestamp::from_micros(row.create_time),
            update_time: Timestamp::from_micros(row.update_time),
            revision: row.revision,
        })
    }
}

/// A [`KeyPolicy`] as the column holds it.
#[derive(Serialize, Deserialize)]
struct StoredKeyPolicy {
    max_ttl_seconds: Option<u64>,
    require_expiration: bool,
    max_active_keys: Option<u32>,
    max_rotation_grace_seconds: Option<u64>,
    allowed_roles: Vec<String>,
}

fn key_policy_json(policy: &KeyPolicy) -> String {
    json(&StoredKeyPolicy {
        max_ttl_seconds: policy.max_ttl.map(|it| it.as_secs()),
        require_expiration: policy.require_expiration,
        max_active_keys: policy.max_active_keys,
        max_rotation_grace_seconds: policy.max_rotation_grace.map(|it| it.as_secs()),
        allowed_roles: policy.allowed_roles.iter().map(ToString::to_string).collect(),
    })
}

fn key_policy(json: &str) -> Result<KeyPolicy, StoreError> {
    const COLUMN: &str = "projects.key_policy";
    let stored: StoredKeyPolicy = read_json(COLUMN, json)?;
    Ok(KeyPolicy {
        max_ttl: stored.max_ttl_seconds.map(Duration::from_secs),
        require_expiration: stored.require_expiration,
        max_active_keys: stored.max_active_keys,
        max_rotation_grace: stored.max_rotation_grace_seconds.map(Duration::from_secs),
        allowed_roles: stored
            .allowed_roles
            .iter()
            .map(|role| read(COLUMN, role))
            .collect::<Result<_, _>>()?,
    })
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn environments(json: &str) -> Result<Environments, StoreError> {
    const COLUMN: &str = "projects.environments";
    let pairs: Vec<(String, String)> = read_json(COLUMN, json)?;
    let list: Vec<Environment> = pairs
        .iter()
        .map(|(id, tag)| Ok(Environment { id: read(COLUMN, id)?, tag: read(COLUMN, tag)? }))
        .collect::<Result<_, StoreError>>()?;
    list.try_into().map_err(|_| unreadable(COLUMN))
}

fn retention(seconds: i64) -> Result<Retention, StoreError> {
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| Duration::from_secs(seconds).try_into().ok())
        .ok_or_else(|| unreadable("projects.retention_seconds"))
}
