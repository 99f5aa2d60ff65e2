//! What must still hold when a change is made.

use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select,
    sea_query::ExprTrait,
};

use crate::ports::store::{CommitError, Expect, KeysOf, UsedBy};

use super::{
    commit::Stop,
    filter,
    rows::{keys, projects, service_accounts},
    transaction::Transaction,
};

pub(super) async fn check(tx: &Transaction, expected: &Expect) -> Result<(), Stop> {
    let (holds, otherwise) = match expected {
        Expect::ServiceAccount(project, id, generation) => {
            let account = service_accounts::Entity::find_by_id((project.to_string(), id.to_string()))
                .filter(service_accounts::Column::Generation.eq(*generation))
                .filter(filter::in_living_project(service_accounts::Column::ProjectId));
            (any(tx, account).await?, CommitError::OwnerGone)
        }
        Expect::ProjectUnchanged(id, revision) => {
            let unchanged =
                projects::Entity::find_by_id(id.as_str()).filter(projects::Column::Revision.eq(*revision));
            (any(tx, unchanged).await?, CommitError::Conflict)
        }
        Expect::NoKeys { project, of, except_deleted, now } => {
            let mut those = Condition::all()
                .add(keys::Column::ProjectId.eq(project.as_str()))
                .add(keys::Column::Protected.eq(false))
                .add(filter::is_due(*now).not());
            those = match of {
                KeysOf::Project => those,
                KeysOf::ServiceAccount(id, generation) => those
                    .add(keys::Column::ServiceAccountId.eq(id.as_str()))
                    .add(keys::Column::AccountGeneration.eq(*generation)),
                KeysOf::Environment(id) => those.add(keys::Column::Environment.eq(id.as_str())),
            };
            if *except_deleted {
                those = those.add(keys::Column::Lifecycle.lt(keys::lifecycle::DELETED));
            }
            let used = any(tx, keys::Entity::find().filter(those)).await?;
            (!used, CommitError::InUse(UsedBy::Keys))
        }
        Expect::NoServiceAccounts(project) => {
            let others = service_accounts::Entity::find()
                .filter(service_accounts::Column::ProjectId.eq(project.as_str()))
                .filter(service_accounts::Column::Protected.eq(false));
            (!any(tx, others).await?, CommitError::InUse(UsedBy::ServiceAccounts))
        }
    };
    if holds { Ok(()) } else { Err(Stop::Refused(otherwise)) }
}

async fn any<E: EntityTrait>(tx: &Transaction, rows: Select<E>) -> Result<bool, DbErr>
where
    E::Model: Send + Sync,
{
    // One row tells as much as all of them.
    Ok(rows.limit(1).count(tx).await? > 0)
}
