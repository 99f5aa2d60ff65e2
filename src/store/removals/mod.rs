//! What is left to do after a deletion: one list, of two tables.

mod actor;
mod owners;
mod roles;

use domain::{
    id::ProjectId,
    name::RoleName,
    removal::{Removal, Removed},
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{
        StoreError,
        cleanup::{RemovalAt, RemovalCursor},
    },
    store::{
        SqlStore,
        error::failed,
        keys::{filter::holders, row as keys},
        projects::row as projects,
        roles::custom,
        service_accounts::row as service_accounts,
        table::any,
        transaction::Transaction,
        turns::Turn,
        writing::Attempts,
    },
};

pub(super) async fn list(
    db: &DatabaseConnection,
    after: Option<&RemovalCursor>,
    most: u64,
) -> Result<Vec<RemovalAt>, StoreError> {
    let (mut found, behind) = match after {
        None => (owners::list(db, None, most).await?, None),
        Some(RemovalCursor::Owner { project, service_account, generation }) => {
            (owners::list(db, Some((project, service_account, *generation)), most).await?, None)
        }
        Some(RemovalCursor::Role { project, role }) => (Vec::new(), Some((&**project, &**role))),
    };
    let left = most.saturating_sub(found.len() as u64);
    if left > 0 {
        found.extend(roles::list(db, behind, left).await?);
    }
    Ok(found)
}

/// The removal of the role, as long as it is not finished.
pub(super) fn of_role(name: &RoleName) -> Select<roles::Entity> {
    roles::Entity::find_by_id((name.project.to_string(), name.role.to_string()))
}

pub(super) async fn begin(tx: &Transaction, removal: &Removal) -> Result<(), DbErr> {
    let owner = match &removal.of {
        Removed::Project(id) => owners::Model::of_project(id, removal),
        Removed::ServiceAccount { name, generation, deletion } => {
            owners::Model::of_account(name, *generation, *deletion, removal)
        }
        Removed::Role(name) => {
            if any(tx, holders(&name.role, &name.project)).await? {
                let role = roles::Model::new(name, removal).into_active_model();
                roles::Entity::insert(role).exec_without_returning(tx).await?;
            }
            return Ok(());
        }
    };
    owners::Entity::insert(owner.into_active_model()).exec_without_returning(tx).await.map(drop)
}

pub(super) async fn finish(store: &SqlStore, removal: &Removal) -> Result<(), StoreError> {
    let mut attempts = Attempts::new();
    while let Err(error) = forget(store, store.turns.aside().await?, removal).await {
        if !attempts.again(&error) {
            return Err(failed(error));
        }
    }
    Ok(())
}

async fn forget(store: &SqlStore, turn: Turn, removal: &Removal) -> Result<(), DbErr> {
    let writing = store.write(turn).await?;
    let tx = &writing.tx;
    match &removal.of {
        // The removal goes with its project.
        Removed::Project(id) => forget_project(tx, id).await?,
        Removed::ServiceAccount { name, generation, .. } => {
            owners::Entity::delete_many()
                .filter(owners::Column::ProjectId.eq(name.project.as_str()))
                .filter(owners::Column::ServiceAccountId.eq(name.service_account.as_str()))
                .filter(owners::Column::AccountGeneration.eq(*generation))
                .exec(tx)
                .await?;
        }
        // A later role of the same id would be granted to a key that still holds it.
        Removed::Role(name) => {
            let held = Expr::exists(holders(&name.role, &name.project).into_query());
            roles::Entity::delete_many()
                .filter(roles::Column::ProjectId.eq(name.project.as_str()))
                .filter(roles::Column::RoleId.eq(name.role.as_str()))
                .filter(held.not())
                .exec(tx)
                .await?;
        }
    }
    Ok(writing.commit().await?)
}

/// Deletes the row of the project unless something that it owned, and that has an event of its own, is still there.
async fn forget_project(tx: &Transaction, id: &ProjectId) -> Result<(), DbErr> {
    let its_keys = keys::Entity::find().filter(keys::Column::ProjectId.eq(id.as_str()));
    let its_accounts =
        service_accounts::Entity::find().filter(service_accounts::Column::ProjectId.eq(id.as_str()));
    projects::Entity::delete_many()
        .filter(projects::Column::Id.eq(id.as_str()))
        .filter(projects::Column::DeleteTime.is_not_null())
        .filter(Expr::exists(its_keys.into_query()).not())
        .filter(Expr::exists(its_accounts.into_query()).not())
        .filter(Expr::exists(custom(id).into_query()).not())
        .exec(tx)
        .await
        .map(drop)
}
