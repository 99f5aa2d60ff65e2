//! DeleteServiceAccount: for good; with `force` its keys are deleted after it.

use domain::{
    describe,
    key::Deletion,
    name::ServiceAccountName,
    removal::{Removal, Removed},
    service_account::ServiceAccount,
    time::Timestamp,
};

use crate::{
    ports::store::{Expect, KeysOf, Write},
    verbs::{
        Call, Error, Service,
        change::{Failed, Step, Target, check_etag},
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
        let removal = self.once(call, ACTION, name, attempt, |_| std::future::ready(Ok(None))).await?;
        if let Some(removal) = removal {
            self.follow(call, &removal).await;
        }
        Ok(())
    }

    /// Answers with what is still to be done.
    async fn try_delete_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
        force: bool,
    ) -> Result<Option<Removal>, Failed> {
        let account = self.load_account(name).await?;
        check_etag(name, etag, account.revision)?;
        account.deletable().map_err(super::forbidden(name))?;
        let project = self.load_project(&name.project).await?;
        let now = self.clock.now();
        let removal = force.then(|| Removal {
            of: Removed::ServiceAccount {
                name: name.clone(),
                generation: account.generation,
                deletion: Deletion { time: now, purge_time: now.after(project.retention.as_duration()) },
            },
            actor: call.actor.clone(),
            peer: call.peer.clone(),
        });
        let without_keys = Expect::NoKeys {
            project: name.project.clone(),
            of: KeysOf::ServiceAccount(name.service_account.clone(), account.generation),
            except_deleted: true,
            now,
        };
        let expect = if force { Vec::new() } else { vec![without_keys] };
        let (target, mut writes) = deletion_of(&account, now);
        writes.extend(removal.clone().map(Write::BeginRemoval));
        self.commit(call, target, expect, writes).await?;
        Ok(removal)
    }
}

/// The step of a commit that deletes `account`.
pub(in crate::verbs) fn deletion_of(account: &ServiceAccount, now: Timestamp) -> Step {
    let name = ServiceAccountName { project: account.project.clone(), service_account: account.id.clone() };
    let target = Target {
        action: ACTION,
        project: account.project.clone(),
        name: name.to_string(),
        before: Some(describe::service_account(account)),
        after: None,
        time: now,
    };
    let delete = Write::DeleteServiceAccount {
        project: account.project.clone(),
        id: account.id.clone(),
        revision: account.revision,
    };
    (target, vec![delete])
}
