//! The writes of a change, each by the table of its resource.

use crate::ports::write::{AnyResource, Write};

use super::{
    keys, removals, service_accounts,
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
        Write::TakeRole(key, role) => keys::write::take_role(tx, key, role, change).await,
        Write::BeginRemoval(removal) => Ok(removals::begin(tx, removal).await?),
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
