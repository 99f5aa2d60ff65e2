//! CreateServiceAccount.

use domain::{
    describe,
    id::{ProjectId, ServiceAccountId},
    labels::Metadata,
    name::ServiceAccountName,
    service_account::{ServiceAccount, generation},
    text::{DisplayName, ExternalId},
};

use crate::{
    ports::store::{Expect, Write},
    verbs::{
        AccountView, Call, Error, Service,
        change::{Failed, Step, Target},
    },
};

#[derive(Debug, Clone)]
pub struct NewServiceAccount {
    pub project: ProjectId,
    /// Generated when absent.
    pub id: Option<ServiceAccountId>,
    pub display_name: DisplayName,
    pub external_id: ExternalId,
    pub metadata: Metadata,
}

const ACTION: &str = "serviceAccounts.create";

impl Service {
    pub async fn create_service_account(
        &self,
        call: &Call,
        new: NewServiceAccount,
    ) -> Result<AccountView, Error> {
        let generated = || ServiceAccountId::generated(self.clock.now(), self.random.bytes());
        let service_account = new.id.clone().unwrap_or_else(generated);
        let name = ServiceAccountName { project: new.project.clone(), service_account };
        let again = |target: String| async move {
            let made = target.parse().map_err(|_| Error::NotFound { resource: target })?;
            self.get_service_account(&made).await
        };
        self.once(call, ACTION, &name, || self.try_create_service_account(call, &new, &name), again).await
    }

    async fn try_create_service_account(
        &self,
        call: &Call,
        new: &NewServiceAccount,
        name: &ServiceAccountName,
    ) -> Result<AccountView, Failed> {
        let project = self.load_project(&new.project).await?;
        let now = self.clock.now();
        let account = ServiceAccount {
            project: new.project.clone(),
            id: name.service_account.clone(),
            generation: generation(self.random.bytes()),
            display_name: new.display_name.clone(),
            external_id: new.external_id.clone(),
            metadata: new.metadata.clone(),
            created_by: call.creator(),
            create_time: now,
            update_time: now,
            disable_time: None,
            last_used_time: None,
            protected: false,
            implicit: false,
            revision: 0,
        };
        let expect = vec![Expect::ProjectUnchanged(project.id, project.revision)];
        let mut view = self.view_account(account.clone()).await?;
        let (target, writes) = creation_of(account);
        view.account.revision = self.commit(call, target, expect, writes).await?;
        Ok(view)
    }
}

/// The step of a commit that creates `account`.
pub(in crate::verbs) fn creation_of(account: ServiceAccount) -> Step {
    let name = ServiceAccountName { project: account.project.clone(), service_account: account.id.clone() };
    let target = Target {
        action: ACTION,
        project: account.project.clone(),
        name: name.to_string(),
        before: None,
        after: Some(describe::service_account(&account)),
        time: account.create_time,
    };
    (target, vec![Write::InsertServiceAccount(account)])
}
