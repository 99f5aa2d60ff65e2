//! Keys, without their secrets.

use domain::{
    Revision,
    id::KeyId,
    key::{Deletion, Key, Revocation, StoredSecret},
    labels::{Customer, Metadata},
    text::{DisplayName, Reason},
    time::Timestamp,
};
use sea_orm::entity::prelude::*;

use crate::ports::StoreError;

use super::{
    super::columns::{
        json, json_list, or_never, or_not_yet, read, read_json, read_list, read_optional, read_optional_list,
        unless_never, unless_not_yet, unreadable,
    },
    secrets,
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: String,
    pub service_account_id: String,
    pub account_generation: i64,
    pub environment: String,
    pub head: String,
    pub display_name: String,
    /// `None`, as are the permissions, for a key from before there were roles that was not changed since.
    #[sea_orm(column_type = "Text", nullable)]
    pub roles: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub permissions: Option<String>,
    pub customers: String,
    pub allowed_cidrs: String,
    pub metadata: String,
    pub tags: String,
    pub created_by: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
    pub expire_time: i64,
    pub last_used_time: i64,
    pub disable_time: Option<i64>,
    pub revoke_time: Option<i64>,
    pub revoke_reason: String,
    pub delete_time: Option<i64>,
    pub purge_time: i64,
    pub lifecycle: i16,
    pub protected: bool,
    pub revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(has_many = "super::secrets::Entity")]
    Secrets,
}

impl Related<secrets::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Secrets.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The strongest of what holds, apart from expiry, which comes by itself: as `Key::state` has it.
pub(crate) mod lifecycle {
    pub(crate) const LIVE: i16 = 0;
    pub(crate) const DISABLED: i16 = 1;
    pub(crate) const REVOKED: i16 = 2;
    pub(crate) const DELETED: i16 = 3;
}

impl Model {
    pub(crate) fn new(key: &Key, revision: Revision) -> Self {
        let micros = |time: Timestamp| time.as_micros();
        Self {
            id: key.id.as_uuid(),
            project_id: key.project.to_string(),
            service_account_id: key.service_account.to_string(),
            account_generation: key.account_generation,
            environment: key.environment.to_string(),
            head: key.token_prefix.clone(),
            display_name: key.display_name.to_string(),
            roles: Some(json_list(&key.roles)),
            permissions: Some(json_list(&key.permissions)),
            customers: json_list(&key.customers),
            allowed_cidrs: json_list(&key.allowed_cidrs),
            metadata: json(key.metadata.entries()),
            tags: json_list(&key.tags),
            created_by: key.created_by.as_ref().map(ToString::to_string),
            create_time: key.create_time.as_micros(),
            update_time: key.update_time.as_micros(),
            expire_time: or_never(key.expire_time),
            last_used_time: or_not_yet(key.last_used_time),
            disable_time: key.disable_time.map(micros),
            revoke_time: key.revocation.as_ref().map(|it| micros(it.time)),
            revoke_reason: key.revocation.as_ref().map_or_else(String::new, |it| it.reason.to_string()),
            delete_time: key.deletion.map(|it| micros(it.time)),
            purge_time: or_never(key.deletion.map(|it| it.purge_time)),
            lifecycle: lifecycle_of(key),
            protected: key.protected,
            revision,
        }
    }

    pub(crate) fn into_key(self, secrets: Vec<secrets::Model>) -> Result<Key, StoreError> {
        let mut secrets: Vec<StoredSecret> =
            secrets.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.version));
        Ok(Key {
            id: KeyId::from_uuid(self.id).map_err(|_| unreadable("keys.id"))?,
            project: read("keys.project_id", &self.project_id)?,
            service_account: read("keys.service_account_id", &self.service_account_id)?,
            account_generation: self.account_generation,
            environment: read("keys.environment", &self.environment)?,
            token_prefix: self.head,
            display_name: DisplayName::from_stored(&self.display_name),
            roles: read_optional_list("keys.roles", self.roles.as_deref())?,
            permissions: read_optional_list("keys.permissions", self.permissions.as_deref())?,
            customers: customers(&self.customers)?,
            allowed_cidrs: read_list("keys.allowed_cidrs", &self.allowed_cidrs)?,
            metadata: Metadata::from_stored(read_json("keys.metadata", &self.metadata)?),
            tags: read_list("keys.tags", &self.tags)?,
            created_by: read_optional("keys.created_by", self.created_by.as_deref())?,
            create_time: Timestamp::from_micros(self.create_time),
            update_time: Timestamp::from_micros(self.update_time),
            expire_time: unless_never(self.expire_time),
            last_used_time: unless_not_yet(self.last_used_time),
            disable_time: self.disable_time.map(Timestamp::from_micros),
            revocation: self.revoke_time.map(|time| Revocation {
                time: Timestamp::from_micros(time),
                reason: Reason::from_stored(&self.revoke_reason),
            }),
            deletion: self.delete_time.map(|time| Deletion {
                time: Timestamp::from_micros(time),
                purge_time: Timestamp::from_micros(self.purge_time),
            }),
            protected: self.protected,
            secrets,
            revision: self.revision,
        })
    }
}

fn lifecycle_of(key: &Key) -> i16 {
    if key.deletion.is_some() {
        lifecycle::DELETED
    } else if key.revocation.is_some() {
        lifecycle::REVOKED
    } else if key.disable_time.is_some() {
        lifecycle::DISABLED
    } else {
        lifecycle::LIVE
    }
}

fn customers(json: &str) -> Result<Vec<Customer>, StoreError> {
    let texts: Vec<String> = read_json("keys.customers", json)?;
    Ok(texts.iter().map(|text| Customer::from_stored(text)).collect())
}
