//! The digests of keys' secrets.

use domain::{digest::Digest, id::KeyId, key::StoredSecret, time::Timestamp};
use sea_orm::entity::prelude::*;

use crate::{
    ports::StoreError,
    store::columns::{or_never, or_not_yet, read_hash, unless_never, unless_not_yet, unreadable},
};

#[derive(Clone, DeriveEntityModel)]
#[sea_orm(table_name = "secrets")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    pub digest: Vec<u8>,
    pub pepper_version: i32,
    pub create_time: i64,
    pub expire_time: i64,
    pub last_used_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "super::row::Entity", from = "Column::KeyId", to = "super::row::Column::Id")]
    Key,
}

impl Related<super::row::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Key.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn new(key: KeyId, secret: &StoredSecret) -> Self {
        Self {
            key_id: key.as_uuid(),
            version: secret.version,
            digest: secret.digest.as_bytes().to_vec(),
            pepper_version: secret.pepper.into(),
            create_time: secret.create_time.as_micros(),
            expire_time: or_never(secret.expire_time),
            last_used_time: or_not_yet(secret.last_used_time),
        }
    }
}

impl TryFrom<Model> for StoredSecret {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            version: row.version,
            digest: Digest::from_bytes(read_hash("secrets.digest", &row.digest)?),
            pepper: row.pepper_version.try_into().map_err(|_| unreadable("secrets.pepper_version"))?,
            create_time: Timestamp::from_micros(row.create_time),
            expire_time: unless_never(row.expire_time),
            last_used_time: unless_not_yet(row.last_used_time),
        })
    }
}

/// Leaves the digest out.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("key_id", &self.key_id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
