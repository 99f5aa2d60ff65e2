//! The newest event's place, in one row.

use domain::audit::Head;
use sea_orm::entity::prelude::*;

use crate::{ports::StoreError, store::columns::read_hash};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "change_head")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub revision: i64,
    pub hash: Vec<u8>,
}

/// The id of the one row.
pub(crate) const ONLY: i64 = 1;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Head {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self { revision: row.revision, hash: read_hash("change_head.hash", &row.hash)? })
    }
}
