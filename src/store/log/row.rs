//! The change log.

use domain::{
    audit::{Event, Hash},
    time::Timestamp,
};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub time: i64,
    pub project_id: String,
    pub actor_account: String,
    pub actor_key: String,
    pub action: String,
    pub target: String,
    pub request_id: String,
    pub peer: String,
    pub before_json: String,
    pub after_json: String,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Event> for Model {
    fn from(event: Event) -> Self {
        Self {
            revision: event.revision,
            time: event.time.as_micros(),
            project_id: event.project,
            actor_account: event.actor_account,
            actor_key: event.actor_key,
            action: event.action,
            target: event.target,
            request_id: event.request_id,
            peer: event.peer,
            before_json: event.before,
            after_json: event.after,
            previous_hash: event.previous_hash.into(),
            hash: event.hash.into(),
        }
    }
}

impl From<Model> for Event {
    fn from(row: Model) -> Self {
        Self {
            revision: row.revision,
            time: Timestamp::from_micros(row.time),
            project: row.project_id,
            actor_account: row.actor_account,
            actor_key: row.actor_key,
            action: row.action,
            target: row.target,
            request_id: row.request_id,
            peer: row.peer,
            before: row.before_json,
            after: row.after_json,
            previous_hash: hash_or_none(&row.previous_hash),
            hash: hash_or_none(&row.hash),
        }
    }
}

/// A stored value that is not a hash reads as zeros, so that the chain can still be checked.
pub(crate) fn hash_or_none(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or_default()
}
