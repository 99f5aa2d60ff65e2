//! What must still hold when a change is made.

use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select};

use crate::ports::store::{CommitError, Expect, KeysOf, UsedBy};

use super::{
    commit::Stop,
    rows::{keys, projects, service_accounts},
    transaction::Transaction,
};

pub(super) async fn check(tx: &Transaction, expected: &Expect) -> Result<(), Stop> {
    let (holds, otherwise) = match expected {
        Expect::ServiceAccount(project, id) => {
            let account = service_accounts::Entity::find_by_id((project.to_string(), id.to_string()));
            (any(tx, account).await?, CommitError::OwnerGone)
        }
        Expect::ProjectUnchanged(id, revision) => {
            let unchanged =
                projects::Entity::find_by_id(id.as_str()).filter(projects::Column::Revision.eq(*revision));
            (any(tx, unchanged).await?, CommitError::Conflict)
        }
        Expect::NoKeys { project, of, except_deleted } => {
            let mut those = Condition::all()
                .add(keys::Column::ProjectId.eq(project.as_str()))
                .add(keys::Column::Protected.eq(false));
            those = match of {
                KeysOf::Project => those,
                KeysOf::ServiceAccount(id) => those.add(keys::Column::ServiceAccountId.eq(id.as_str())),
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
