//! What verifications leave behind: last uses, and digests under a newer pepper.
//!
//! These are no changes in the sense of the log, so they do not wait for its head.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    prelude::Uuid,
    sea_query::{CaseStatement, Condition, Expr, ExprTrait},
};

use crate::{
    domain::digest::PepperVersion,
    ports::{
        StoreError,
        recorder::{Rehash, Use},
    },
};

use super::{
    SqlStore,
    error::failed,
    rows::{keys, secrets, service_accounts},
    session::Attempts,
};

/// Few enough that no change waits long for a row that is marked.
const BATCH: usize = 100;

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

pub(super) async fn record_uses(store: &SqlStore, uses: &[Use]) -> Result<(), StoreError> {
    for batch in uses.chunks(BATCH) {
        let latest = Latest::of(batch);
        let mut attempts = Attempts::new();
        while let Err(error) = latest.record(store).await {
            if !attempts.again(&error) {
                return Err(failed(error));
            }
        }
    }
    Ok(())
}

pub(super) async fn rehash(store: &SqlStore, rehashes: &[Rehash]) -> Result<(), StoreError> {
    let mut rehashes = rehashes.to_vec();
    // Every batch takes rows in the same order, so that no two stand in each other's way.
    rehashes.sort_by_key(|it| (it.key, it.secret_version));
    for batch in rehashes.chunks(BATCH) {
        let mut attempts = Attempts::new();
        while let Err(error) = replace_digests(store, batch).await {
            if !attempts.again(&error) {
                return Err(failed(error));
            }
        }
    }
    Ok(())
}

/// The last of the uses of each key and of each secret, in the order of their ids.
struct Latest {
    keys: BTreeMap<Uuid, i64>,
    secrets: BTreeMap<(Uuid, i32), i64>,
}

impl Latest {
    fn of(uses: &[Use]) -> Self {
        let mut latest = Self { keys: BTreeMap::new(), secrets: BTreeMap::new() };
        for it in uses {
            let (key, time) = (it.key.as_uuid(), it.time.as_micros());
            let last = latest.keys.entry(key).or_insert(time);
            *last = Ord::max(*last, time);
            let last = latest.secrets.entry((key, it.secret_version)).or_insert(time);
            *last = Ord::max(*last, time);
        }
        latest
    }

    async fn record(&self, store: &SqlStore) -> Result<(), DbErr> {
        let writing = store.write().await?;
        let tx = &writing.tx;
        let keys = self.keys.iter().map(|(key, time)| (keys::Column::Id.eq(*key), *time));
        used::<keys::Entity>(tx, keys::Column::LastUsedTime, keys).await?;
        let secrets = self.secrets.iter().map(|((key, version), time)| {
            let secret = secrets::Column::KeyId.eq(*key).and(secrets::Column::Version.eq(*version));
            (secret, *time)
        });
        used::<secrets::Entity>(tx, secrets::Column::LastUsedTime, secrets).await?;
        let owners = self.owners(tx).await?;
        let accounts = owners.iter().map(|((project, account), time)| {
            let owner = service_accounts::Column::ProjectId
                .eq(project.as_str())
                .and(service_accounts::Column::Id.eq(account.as_str()));
            (owner, *time)
        });
        used::<service_accounts::Entity>(tx, service_accounts::Column::LastUsedTime, accounts).await?;
        writing.commit().await
    }

    async fn owners(&self, tx: &DatabaseTransaction) -> Result<BTreeMap<(String, String), i64>, DbErr> {
        let rows: Vec<(Uuid, String, String)> = keys::Entity::find()
            .select_only()
            .column(keys::Column::Id)
            .column(keys::Column::ProjectId)
            .column(keys::Column::ServiceAccountId)
            .filter(keys::Column::Id.is_in(self.keys.keys().copied()))
            .into_tuple()
            .all(tx)
            .await?;
        let mut owners = BTreeMap::new();
        for (key, project, account) in rows {
            let time = self.keys[&key];
            let last = owners.entry((project, account)).or_insert(time);
            *last = Ord::max(*last, time);
        }
        Ok(owners)
    }
}

/// Moves the last use of many rows forward, each to its own time, in one statement.
async fn used<E: EntityTrait>(
    tx: &DatabaseTransaction,
    last_used: E::Column,
    rows: impl Iterator<Item = (Expr, i64)>,
) -> Result<(), DbErr> {
    let mut time = CaseStatement::new();
    let mut any = Condition::any();
    for (row, used) in rows {
        let later = row.and(last_used.lt(used));
        time = time.case(later.clone(), used);
        any = any.add(later);
    }
    if any.is_empty() {
        return Ok(());
    }
    let time = time.finally(Expr::col(last_used));
    E::update_many().col_expr(last_used, time.into()).filter(any).exec(tx).await.map(drop)
}

/// A digest is replaced only where the one that was verified still stands.
async fn replace_digests(store: &SqlStore, batch: &[Rehash]) -> Result<(), DbErr> {
    let writing = store.write().await?;
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
    writing.commit().await
}
