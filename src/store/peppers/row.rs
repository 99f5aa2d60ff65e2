//! What each pepper is known by.

use domain::digest::{PepperCheck, PepperVersion};
use sea_orm::entity::prelude::*;

use crate::{
    ports::StoreError,
    store::columns::{read_hash, unreadable},
};

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "peppers")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    pub check_value: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for (PepperVersion, PepperCheck) {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let version = row.version.try_into().map_err(|_| unreadable("peppers.version"))?;
        Ok((version, read_hash("peppers.check_value", &row.check_value)?))
    }
}
