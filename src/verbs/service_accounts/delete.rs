//! DeleteServiceAccount: for good; with `force` its keys are deleted after it.

use domain::{
    key::Deletion,
    name::ServiceAccountName,
    removal::{Removal, Removed},
    service_account::ServiceAccount,
    time::Timestamp,
};

use crate::{
    ports::{
        commits::{Expect, KeysOf},
        write::Write,
    },
    verbs::{
        Call, Error, Service,
        attempt::AttemptError,
        change::forbidden,
        step::{Step, Target},
    },
};

const ACTION: &str = "serviceAccounts.delete";

impl Service {
    pub async fn delete_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
        force: bool,
    ) -> Result<(), Error> {
        let attempt = || self.try_delete_service_account(call, name, etag, force);
        self.delete(call, ACTION, name, attempt).await
    }

    /// Answers with what is still to be done.
    async fn try_delete_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
        force: bool,
    ) -> Result<Option<Removal>, AttemptError> {
        let account: ServiceAccount = self.load_expected(call, name, etag).await?;
        account.deletable().map_err(forbidden(name))?;
        let project = self.load_project(&call.caller, &name.project).await?;
        let now = self.clock.now();
        let deletion = deletion(&account, now);
        if force {
            let removal = Removal {
                of: Removed::ServiceAccount {
                    name: name.clone(),
                    generation: account.generation,
                    deletion: Deletion { time: now, purge_time: now.after(project.retention.as_duration()) },
                },
                actor: call.caller.actor.clone(),
                peer: call.caller.peer.clone(),
            };
            let deletion = deletion.and(Write::BeginRemoval(removal.clone()));
            self.commit(call, Vec::new(), deletion).await?;
            return Ok(Some(removal));
        }
        let without_keys = Expect::NoKeys {
            project: name.project.clone(),
            of: KeysOf::ServiceAccount(name.service_account.clone(), account.generation),
            except_deleted: true,
            now,
        };
        self.commit(call, vec![without_keys], deletion).await?;
        Ok(None)
    }
}

/// The step of a commit that deletes `account`.
pub(in crate::verbs) fn deletion(account: &ServiceAccount, now: Timestamp) -> Step {
    Step::delete(ACTION, account, now)
}

/// The step that deletes `account`, if it owns no key by then.
pub(in crate::verbs) fn unused(account: &ServiceAccount, now: Timestamp) -> Step {
    Target::deleted(ACTION, account, now).by(Write::DeleteUnused(account.clone()))
}
