//! What is recorded of peppers: by what each is known again, and how many secrets it has keyed.

mod row;

use async_trait::async_trait;
use domain::digest::{PepperCheck, PepperVersion};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict,
};

use crate::{
    ports::{PepperRecords, StoreError},
    store::{SqlStore, error::failed, recording, turns::Turn, writing::Attempts},
};

use row::{ActiveModel, Column, Entity, Model};

#[async_trait]
impl PepperRecords for SqlStore {
    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError> {
        recording::pepper_usage(&self.db).await
    }

    async fn known_peppers(&self) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError> {
        known(&self.db).await
    }

    async fn make_pepper_known(
        &self,
        version: PepperVersion,
        check: &PepperCheck,
    ) -> Result<PepperCheck, StoreError> {
        make_known(self, version, check).await
    }
}

async fn known(db: &DatabaseConnection) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError> {
    let rows = Entity::find().all(db).await.map_err(failed)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Of those who do this at once one is first, and all learn what it wrote.
async fn make_known(
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
) -> Result<Option<Model>, DbErr> {
    let writing = store.write(turn).await?;
    let row = ActiveModel { version: Set(version.into()), check_value: Set(check.to_vec()) };
    let first = OnConflict::column(Column::Version).do_nothing_on([Column::Version]).to_owned();
    Entity::insert(row).on_conflict(first).exec_without_returning(&writing.tx).await?;
    let row = Entity::find().filter(Column::Version.eq(i32::from(version))).one(&writing.tx).await?;
    writing.commit().await?;
    Ok(row)
}
