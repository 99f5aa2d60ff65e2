//! What must still hold when a change is made.

use domain::{key::Key, resource::Resource, role::Role, service_account::ServiceAccount};
use sea_orm::{DbErr, EntityTrait, PaginatorTrait, QuerySelect, Select};

use crate::ports::commits::{CommitError, Expect};

use super::{
    keys, removals, roles, service_accounts,
    table::{ChangeError, any},
    transaction::Transaction,
    writes::table,
};

pub(super) async fn check(tx: &Transaction, expected: &Expect) -> Result<(), ChangeError> {
    let (holds, otherwise) = match expected {
        Expect::Unchanged(resource) => (table(resource).is_unchanged(tx).await?, CommitError::Conflict),
        Expect::KeysOfOwner { owner, generation, number, newest } => {
            // One more shows that there are more.
            let extent = keys::read::extent(tx, owner, *generation, number + 1).await?;
            (extent == (*number, *newest), CommitError::Conflict)
        }
        Expect::Role(name) => (any(tx, roles::named(name)).await?, CommitError::Conflict),
        Expect::NoRemoval(name) => (!any(tx, removals::of_role(name)).await?, CommitError::DeletionUnderWay),
        Expect::Owner(name, generation) => {
            let account = service_accounts::of_generation(name, *generation);
            (any(tx, account).await?, CommitError::OwnerGone(name.clone()))
        }
        Expect::NoKeys { project, of, except_deleted, now } => {
            let keys = keys::filter::using(project, of, *except_deleted, *now);
            (!any(tx, keys).await?, CommitError::InUse(Key::KIND))
        }
        Expect::RolesBelow(project, most) => {
            let number = count(tx, roles::of(project), roles::row::Column::Id).await?;
            (number < u64::from(*most), CommitError::TooManyRoles(project.clone(), *most))
        }
        Expect::ActiveKeysBelow { project, most, now } => {
            // The system key is one of them, and always active; to leave it out, every row would have to be read.
            let most = u64::from(*most) + 1;
            let active = keys::filter::active(project, *now).limit(most);
            let number = count(tx, active, keys::row::Column::Id).await?;
            (number < most, CommitError::TooManyKeys(project.clone()))
        }
        Expect::NoServiceAccounts(project) => {
            let others = service_accounts::unprotected(project);
            (!any(tx, others).await?, CommitError::InUse(ServiceAccount::KIND))
        }
        Expect::NoRoles(project) => (!any(tx, roles::custom(project)).await?, CommitError::InUse(Role::KIND)),
    };
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// How many `rows` there are. Only their `id` is read: a database that counts rows up to a limit reads what is selected.
async fn count<E: EntityTrait>(tx: &Transaction, rows: Select<E>, id: E::Column) -> Result<u64, DbErr>
where
    E::Model: Send + Sync,
{
    rows.select_only().column(id).count(tx).await
}
