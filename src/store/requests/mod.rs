//! Requests that may be repeated.

pub(super) mod row;

use domain::time::Timestamp;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    ports::{
        StoreError,
        commits::{Remembered, RequestDigest},
    },
    store::{SqlStore, error::failed, turns::Turn, writing::Attempts},
};

use row::{Column, Entity};

pub(super) async fn find(
    db: &DatabaseConnection,
    id: &RequestDigest,
) -> Result<Option<Remembered>, StoreError> {
    Entity::find_by_id(id.to_vec()).one(db).await.map_err(failed)?.map(TryInto::try_into).transpose()
}

/// How many are forgotten at a time: few enough that no change waits long for it.
const PORTION: u64 = 300;

/// Forgets the oldest, and says whether there may be more.
pub(super) async fn forget(store: &SqlStore, before: Timestamp) -> Result<bool, StoreError> {
    let mut attempts = Attempts::new();
    loop {
        match delete(store, store.turns.aside().await?, before).await {
            Err(error) if attempts.again(&error) => {}
            forgotten => return Ok(forgotten.map_err(failed)? == PORTION),
        }
    }
}

async fn delete(store: &SqlStore, turn: Turn, before: Timestamp) -> Result<u64, DbErr> {
    let writing = store.write(turn).await?;
    let ids: Vec<Vec<u8>> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Time.lt(before.as_micros()))
        .order_by_asc(Column::Time)
        .order_by_asc(Column::Id)
        .limit(PORTION)
        .into_tuple()
        .all(&writing.tx)
        .await?;
    let portion = ids.len() as u64;
    if portion == 0 {
        writing.undo().await;
        return Ok(0);
    }
    Entity::delete_many().filter(Column::Id.is_in(ids)).exec(&writing.tx).await?;
    writing.commit().await?;
    Ok(portion)
}
