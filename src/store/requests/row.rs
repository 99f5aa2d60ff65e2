//! Requests that may be repeated, and what they made.

use domain::time::Timestamp;
use sea_orm::entity::prelude::*;

use crate::{
    ports::{StoreError, commits::Remembered},
    store::columns::read_hash,
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    pub fingerprint: Vec<u8>,
    pub target: String,
    pub time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Remembered> for Model {
    fn from(request: &Remembered) -> Self {
        Self {
            id: request.id.into(),
            fingerprint: request.fingerprint.into(),
            target: request.target.clone(),
            time: request.time.as_micros(),
        }
    }
}

impl TryFrom<Model> for Remembered {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: read_hash("requests.id", &row.id)?,
            fingerprint: read_hash("requests.fingerprint", &row.fingerprint)?,
            target: row.target,
            time: Timestamp::from_micros(row.time),
        })
    }
}
