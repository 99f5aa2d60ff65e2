//! What is left to do after a deletion, and the accounts that go with their last key.

use domain::{
    key::Key,
    removal::{Removal, Removed},
    service_account::ServiceAccount,
};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::ports::{
    StoreError,
    store::{PlacedRemoval, RemovalPlace},
};

use super::{
    SqlStore,
    error::failed,
    rows::{keys, projects, removals, service_accounts},
    session::Attempts,
    turns::Turn,
};

pub(super) async fn list(
    db: &DatabaseConnection,
    after: Option<&RemovalPlace>,
    most: u64,
) -> Result<Vec<PlacedRemoval>, StoreError> {
    use removals::Column;

    let rows = removals::Entity::find()
        .filter(after.map_or_else(Condition::all, behind))
        .order_by_asc(Column::ProjectId)
        .order_by_asc(Column::ServiceAccountId)
        .order_by_asc(Column::AccountGeneration)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    let placed = |row: removals::Model| PlacedRemoval {
        place: RemovalPlace {
            project: row.project_id.clone(),
            service_account: row.service_account_id.clone(),
            generation: row.account_generation,
        },
        removal: row.try_into(),
    };
    Ok(rows.into_iter().map(placed).collect())
}

fn behind(place: &RemovalPlace) -> Condition {
    use removals::Column;

    let of_project = Column::ProjectId.eq(place.project.as_str());
    let of_account = of_project.clone().and(Column::ServiceAccountId.eq(place.service_account.as_str()));
    Condition::any()
        .add(Column::ProjectId.gt(place.project.as_str()))
        .add(of_project.and(Column::ServiceAccountId.gt(place.service_account.as_str())))
        .add(of_account.and(Column::AccountGeneration.gt(place.generation)))
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
        Removed::Project(id) => {
            let has = |rows| Expr::exists(rows);
            let its_keys = keys::Entity::find().filter(keys::Column::ProjectId.eq(id.as_str()));
            let its_accounts =
                service_accounts::Entity::find().filter(service_accounts::Column::ProjectId.eq(id.as_str()));
            projects::Entity::delete_many()
                .filter(projects::Column::Id.eq(id.as_str()))
                .filter(projects::Column::DeleteTime.is_not_null())
                .filter(has(its_keys.into_query()).not())
                .filter(has(its_accounts.into_query()).not())
                .exec(tx)
                .await?;
        }
        Removed::ServiceAccount { name, generation, .. } => {
            removals::Entity::delete_many()
                .filter(removals::Column::ProjectId.eq(name.project.as_str()))
                .filter(removals::Column::ServiceAccountId.eq(name.service_account.as_str()))
                .filter(removals::Column::AccountGeneration.eq(*generation))
                .exec(tx)
                .await?;
        }
    }
    Ok(writing.commit().await?)
}

pub(super) async fn implicit_owners(
    db: &DatabaseConnection,
    those: &[Key],
) -> Result<Vec<ServiceAccount>, StoreError> {
    use service_accounts::Column;

    if those.is_empty() {
        return Ok(Vec::new());
    }
    let owner = |key: &Key| {
        Column::ProjectId
            .eq(key.project.as_str())
            .and(Column::Id.eq(key.service_account.as_str()))
            .and(Column::Generation.eq(key.account_generation))
    };
    let owners = those.iter().map(owner).fold(Condition::any(), Condition::add);
    let others =
        keys_of_account().filter(keys::Column::Id.is_not_in(those.iter().map(|key| key.id.as_uuid())));
    let rows = service_accounts::Entity::find()
        .filter(Column::Implicit.eq(true))
        .filter(owners)
        .filter(Expr::exists(others.into_query()).not())
        .all(db)
        .await
        .map_err(failed)?;
    // One that cannot be read stays.
    Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
}

/// The keys of the account of the query around, deleted or not.
pub(super) fn keys_of_account() -> sea_orm::Select<keys::Entity> {
    let equal = |column: service_accounts::Column, of_key: keys::Column| {
        Expr::col(column.as_column_ref()).equals(of_key.as_column_ref())
    };
    keys::Entity::find()
        .select_only()
        .column(keys::Column::Id)
        .filter(equal(service_accounts::Column::ProjectId, keys::Column::ProjectId))
        .filter(equal(service_accounts::Column::Id, keys::Column::ServiceAccountId))
        .filter(equal(service_accounts::Column::Generation, keys::Column::AccountGeneration))
}
