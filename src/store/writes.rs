//! The writes of a change, each by the table of its resource.

use domain::removal::Removal;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};

use crate::ports::write::{AnyResource, Write};

use super::{
    keys,
    removals::row as removals,
    service_accounts,
    table::{ChangeError, InChange, Table},
    transaction::Transaction,
};

/// Does `write` as part of `change`.
pub(super) async fn apply(tx: &Transaction, write: &Write, change: InChange) -> Result<(), ChangeError> {
    match write {
        Write::Insert(resource) => table(resource).insert(tx, change).await,
        Write::Update(resource) => table(resource).update(tx, change).await,
        Write::Delete(resource) => table(resource).delete(tx, change).await,
        Write::DeleteAfterOwner(key) => keys::write::delete_after_owner(tx, key, change).await,
        Write::DeleteUnused(account) => service_accounts::write::delete_unused(tx, account).await,
        Write::BeginRemoval(removal) => Ok(begin_removal(tx, removal).await?),
    }
}

/// The tables that there are, by resource.
pub(super) fn table(resource: &AnyResource) -> &(dyn Table + Sync) {
    match resource {
        AnyResource::Project(project) => project,
        AnyResource::ServiceAccount(account) => account,
        AnyResource::Role(role) => role,
        AnyResource::Key(key) => key,
    }
}

async fn begin_removal(tx: &Transaction, removal: &Removal) -> Result<(), DbErr> {
    let row = removals::Model::from(removal).into_active_model();
    removals::Entity::insert(row).exec_without_returning(tx).await.map(drop)
}
