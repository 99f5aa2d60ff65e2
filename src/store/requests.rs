//! Requests that may be repeated.

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use crate::{
    domain::time::Timestamp,
    ports::{
        StoreError,
        store::{Remembered, RequestDigest},
    },
};

use super::{SqlStore, error::failed, rows::requests, turns::Turn};

pub(super) async fn find(
    db: &DatabaseConnection,
    id: &RequestDigest,
) -> Result<Option<Remembered>, StoreError> {
    requests::Entity::find_by_id(id.to_vec())
        .one(db)
        .await
        .map_err(failed)?
        .map(TryInto::try_into)
        .transpose()
}

pub(super) async fn forget(store: &SqlStore, before: Timestamp) -> Result<(), StoreError> {
    let turn = store.turns.aside().await?;
    delete(store, turn, before).await.map_err(failed)
}

async fn delete(store: &SqlStore, turn: Turn, before: Timestamp) -> Result<(), DbErr> {
    let writing = store.write(turn).await?;
    requests::Entity::delete_many()
        .filter(requests::Column::Time.lt(before.as_micros()))
        .exec(&writing.tx)
        .await?;
    Ok(writing.commit().await?)
}
