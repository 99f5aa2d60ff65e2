//! What the recorder writes: last uses, and digests under a newer pepper.
//!
//! Neither is a change in the sense of the change log, so they do not wait for its head.

use async_trait::async_trait;
use domain::digest::PepperVersion;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect,
};

use crate::ports::{
    Recording, StoreError,
    recorder::{LastUse, Rehash},
};

use super::{
    SqlStore, error::failed, keys::secrets, turns::Turn, use_statements::UseStatements, writing::Attempts,
};

/// How many digests one transaction replaces: few enough that no change waits long for a locked row.
const BATCH: usize = 100;

#[async_trait]
impl Recording for SqlStore {
    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        record_uses(self, uses).await
    }

    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError> {
        rehash(self, rehashes).await
    }
}

pub(super) async fn pepper_usage(db: &DatabaseConnection) -> Result<Vec<(PepperVersion, u64)>, StoreError> {
    let rows: Vec<(i32, i64)> = secrets::Entity::find()
        .select_only()
        .column(secrets::Column::PepperVersion)
        .column_as(secrets::Column::Version.count(), "number")
        .group_by(secrets::Column::PepperVersion)
        .into_tuple()
        .all(db)
        .await
        .map_err(failed)?;
    let mut usage: Vec<_> = rows
        .into_iter()
        .filter_map(|(version, number)| Some((version.try_into().ok()?, number.unsigned_abs())))
        .collect();
    usage.sort_unstable();
    Ok(usage)
}

async fn record_uses(store: &SqlStore, uses: &[LastUse]) -> Result<(), StoreError> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut attempts = Attempts::new();
    while let Err(error) = move_forward(store, store.turns.aside().await?, uses).await {
        if !attempts.again(&error) {
            return Err(failed(error));
        }
    }
    Ok(())
}

async fn rehash(store: &SqlStore, rehashes: &[Rehash]) -> Result<(), StoreError> {
    let mut rehashes = rehashes.to_vec();
    // Every batch locks rows in the same order, so that no two can deadlock.
    rehashes.sort_by_key(|it| (it.key, it.secret_version));
    for batch in rehashes.chunks(BATCH) {
        let mut attempts = Attempts::new();
        while let Err(error) = replace_digests(store, store.turns.aside().await?, batch).await {
            if !attempts.again(&error) {
                return Err(failed(error));
            }
        }
    }
    Ok(())
}

async fn move_forward(store: &SqlStore, turn: Turn, uses: &[LastUse]) -> Result<(), DbErr> {
    let writing = store.write(turn).await?;
    let tx = &writing.tx;
    let uses = UseStatements::new(tx.get_database_backend(), uses);
    for statement in [uses.of_keys(), uses.of_secrets(), uses.of_owners()] {
        tx.execute(&statement).await?;
    }
    Ok(writing.commit().await?)
}

/// Replaces a digest only where the one that was verified is still stored.
async fn replace_digests(store: &SqlStore, turn: Turn, batch: &[Rehash]) -> Result<(), DbErr> {
    let writing = store.write(turn).await?;
    for it in batch {
        let digest = it.sealed.digest.as_bytes().to_vec();
        secrets::Entity::update_many()
            .col_expr(secrets::Column::Digest, digest.into())
            .col_expr(secrets::Column::PepperVersion, i32::from(it.sealed.pepper).into())
            .filter(secrets::Column::KeyId.eq(it.key.as_uuid()))
            .filter(secrets::Column::Version.eq(it.secret_version))
            .filter(secrets::Column::PepperVersion.eq(i32::from(it.replaces)))
            .exec(&writing.tx)
            .await?;
    }
    Ok(writing.commit().await?)
}
