//! What must still hold when a change is made.

use domain::{key::Key, resource::Resource, service_account::ServiceAccount};

use crate::ports::commits::{CommitError, Expect};

use super::{
    keys, roles, service_accounts,
    table::{ChangeError, any},
    transaction::Transaction,
    writes::table,
};

pub(super) async fn check(tx: &Transaction, expected: &Expect) -> Result<(), ChangeError> {
    let (holds, otherwise) = match expected {
        Expect::Unchanged(resource) => (table(resource).is_unchanged(tx).await?, CommitError::Conflict),
        Expect::KeysOfOwner { owner, number, newest } => {
            (keys::read::extent(tx, owner).await? == (*number, *newest), CommitError::Conflict)
        }
        Expect::Role(name) => (any(tx, roles::named(name)).await?, CommitError::Conflict),
        Expect::Owner(name, generation) => {
            let account = service_accounts::of_generation(name, *generation);
            (any(tx, account).await?, CommitError::OwnerGone(name.clone()))
        }
        Expect::NoKeys { project, of, except_deleted, now } => {
            let keys = keys::filter::using(project, of, *except_deleted, *now);
            (!any(tx, keys).await?, CommitError::InUse(Key::KIND))
        }
        Expect::NoServiceAccounts(project) => {
            let others = service_accounts::unprotected(project);
            (!any(tx, others).await?, CommitError::InUse(ServiceAccount::KIND))
        }
    };
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
