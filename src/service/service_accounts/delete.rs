//! DeleteServiceAccount: for good; with `force` its keys are deleted first.

use crate::{
    domain::{describe, name::ServiceAccountName},
    ports::store::{Expect, KeysOf, Write},
    service::{
        Call, Error, Service,
        change::{Failed, Target, check_etag},
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
        self.once(call, ACTION, name, attempt, |_| std::future::ready(Ok(()))).await
    }

    async fn try_delete_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
        force: bool,
    ) -> Result<(), Failed> {
        let account = self.load_account(name).await?;
        check_etag(name, etag, account.revision)?;
        account.deletable().map_err(super::forbidden(name))?;
        let project = self.load_project(&name.project).await?;
        let now = self.clock.now();
        let mut expect = Vec::new();
        let mut writes = Vec::new();
        if force {
            writes.push(Write::DeleteKeysOf {
                project: name.project.clone(),
                service_account: name.service_account.clone(),
                time: now,
                purge_time: now.after(project.retention.as_duration()),
            });
        } else {
            expect.push(Expect::NoKeys {
                project: name.project.clone(),
                of: KeysOf::ServiceAccount(name.service_account.clone()),
                except_deleted: true,
            });
        }
        writes.push(Write::DeleteServiceAccount {
            project: name.project.clone(),
            id: name.service_account.clone(),
            revision: account.revision,
        });
        let target = Target {
            action: ACTION,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::service_account(&account)),
            after: None,
            time: now,
        };
        self.commit(call, target, expect, writes).await?;
        Ok(())
    }
}
