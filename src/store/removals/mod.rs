//! What is left to do after a deletion.

pub(super) mod row;

use domain::removal::{Removal, Removed};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    ports::{
        StoreError,
        cleanup::{RemovalAt, RemovalCursor},
    },
    store::{
        SqlStore, error::failed, keys::row as keys, projects::row as projects,
        service_accounts::row as service_accounts, turns::Turn, writing::Attempts,
    },
};

use row::{Column, Entity, Model};

pub(super) async fn list(
    db: &DatabaseConnection,
    after: Option<&RemovalCursor>,
    most: u64,
) -> Result<Vec<RemovalAt>, StoreError> {
    let rows = Entity::find()
        .filter(after.map_or_else(Condition::all, behind))
        .order_by_asc(Column::ProjectId)
        .order_by_asc(Column::ServiceAccountId)
        .order_by_asc(Column::AccountGeneration)
        .limit(most)
        .all(db)
        .await
        .map_err(failed)?;
    let removal = |row: Model| RemovalAt {
        cursor: RemovalCursor {
            project: row.project_id.clone(),
            service_account: row.service_account_id.clone(),
            generation: row.account_generation,
        },
        removal: row.try_into(),
    };
    Ok(rows.into_iter().map(removal).collect())
}

fn behind(cursor: &RemovalCursor) -> Condition {
    let of_project = Column::ProjectId.eq(cursor.project.as_str());
    let of_account = of_project.clone().and(Column::ServiceAccountId.eq(cursor.service_account.as_str()));
    Condition::any()
        .add(Column::ProjectId.gt(cursor.project.as_str()))
        .add(of_project.and(Column::ServiceAccountId.gt(cursor.service_account.as_str())))
        .add(of_account.and(Column::AccountGeneration.gt(cursor.generation)))
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
            Entity::delete_many()
                .filter(Column::ProjectId.eq(name.project.as_str()))
                .filter(Column::ServiceAccountId.eq(name.service_account.as_str()))
                .filter(Column::AccountGeneration.eq(*generation))
                .exec(tx)
                .await?;
        }
    }
    Ok(writing.commit().await?)
}
