//! By what a pepper is known again.

use domain::digest::{PepperCheck, PepperVersion};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict,
};

use crate::ports::StoreError;

use super::{SqlStore, error::failed, rows::peppers, session::Attempts, turns::Turn};

pub(super) async fn known(db: &DatabaseConnection) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError> {
    let rows = peppers::Entity::find().all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Of those who do this at once one is first, and all learn what it wrote.
pub(super) async fn make_known(
    store: &SqlStore,
    version: PepperVersion,
    check: &PepperCheck,
) -> Result<PepperCheck, StoreError> {
    let mut attempts = Attempts::new();
    let row = loop {
        match insert(store, store.turns.aside().await?, version, check).await {
            Err(error) if attempts.again(&error) => {}
            row => break row.map_err(failed)?,
        }
    };
    let row = row.ok_or_else(|| StoreError::Broken("a pepper's check value is gone".into()))?;
    Ok(<(PepperVersion, PepperCheck)>::try_from(row)?.1)
}

/// Inserts it unless one is there, and answers with what is there.
async fn insert(
    store: &SqlStore,
    turn: Turn,
    version: PepperVersion,
    check: &PepperCheck,
) -> Result<Option<peppers::Model>, DbErr> {
    let writing = store.write(turn).await?;
    let row = peppers::ActiveModel { version: Set(version.into()), check_value: Set(check.to_vec()) };
    let first =
        OnConflict::column(peppers::Column::Version).do_nothing_on([peppers::Column::Version]).to_owned();
    peppers::Entity::insert(row).on_conflict(first).exec_without_returning(&writing.tx).await?;
    let row = peppers::Entity::find()
        .filter(peppers::Column::Version.eq(i32::from(version)))
        .one(&writing.tx)
        .await?;
    writing.commit().await?;
    Ok(row)
}
