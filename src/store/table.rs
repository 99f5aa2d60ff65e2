//! How the rows of a resource are written, whichever resource it is.

use async_trait::async_trait;
use domain::{Revision, resource::Kind, time::Timestamp};
use sea_orm::{
    ActiveModelTrait, Condition, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select,
};

use crate::ports::{StoreError, commits::CommitError};

use super::{error, transaction::Transaction};

/// The change that a write is part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct InChange {
    pub(super) revision: Revision,
    pub(super) time: Timestamp,
}

/// A resource that has rows. An update or a deletion touches them only if they have the revision that was read.
#[async_trait]
pub(super) trait Table {
    async fn insert(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError>;

    async fn update(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError>;

    async fn delete(&self, tx: &Transaction, change: InChange) -> Result<(), ChangeError>;

    /// Whether it is stored as it was read.
    async fn is_unchanged(&self, tx: &Transaction) -> Result<bool, DbErr>;
}

/// Why a change was not made.
pub(super) enum ChangeError {
    Refused(CommitError),
    Database(DbErr),
}

impl From<CommitError> for ChangeError {
    fn from(error: CommitError) -> Self {
        Self::Refused(error)
    }
}

impl From<DbErr> for ChangeError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<ChangeError> for CommitError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Database(error) => error::failed(error).into(),
        }
    }
}

/// Inserts the row of a resource of this `kind`.
pub(super) async fn insert<A: ActiveModelTrait>(
    tx: &Transaction,
    row: A,
    kind: Kind,
) -> Result<(), ChangeError> {
    insert_or(tx, row, CommitError::Exists(kind)).await
}

/// Inserts a row; if there is one of its key already, that is `otherwise`.
pub(super) async fn insert_or<A: ActiveModelTrait>(
    tx: &Transaction,
    row: A,
    otherwise: CommitError,
) -> Result<(), ChangeError> {
    match <A::Entity as EntityTrait>::insert(row).exec_without_returning(tx).await {
        Err(error) if error::kind(&error) == error::Kind::Duplicate => Err(otherwise.into()),
        inserted => Ok(inserted.map(drop)?),
    }
}

/// Gives the one row `as_read` what is set in `row`.
pub(super) async fn update<A: ActiveModelTrait>(
    tx: &Transaction,
    row: A,
    as_read: Condition,
) -> Result<(), ChangeError> {
    let updated = <A::Entity as EntityTrait>::update_many().set(row).filter(as_read).exec(tx).await?;
    one(updated.rows_affected)
}

/// Deletes the one row `as_read`.
pub(super) async fn delete<E: EntityTrait>(tx: &Transaction, as_read: Condition) -> Result<(), ChangeError> {
    one(E::delete_many().filter(as_read).exec(tx).await?.rows_affected)
}

/// A row that is gone, or that another change came to first, was not touched.
fn one(rows_affected: u64) -> Result<(), ChangeError> {
    if rows_affected == 1 { Ok(()) } else { Err(CommitError::Conflict.into()) }
}

/// Whether there are any of `rows`.
pub(super) async fn any<E: EntityTrait>(tx: &Transaction, rows: Select<E>) -> Result<bool, DbErr>
where
    E::Model: Send + Sync,
{
    // One row answers the question as well as all of them.
    Ok(rows.limit(1).count(tx).await? > 0)
}
