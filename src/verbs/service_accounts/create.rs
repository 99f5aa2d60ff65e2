//! CreateServiceAccount.

use domain::{
    id::{ProjectId, ServiceAccountId, generation},
    labels::Metadata,
    name::ServiceAccountName,
    service_account::ServiceAccount,
    text::{DisplayName, ExternalId},
    time::Timestamp,
};

use crate::{
    ports::commits::Expect,
    verbs::{AccountView, Call, Error, Service, attempt::AttemptError, step::Step},
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
        let again = |target| self.get_made::<ServiceAccount>(&call.caller, target);
        self.once(call, ACTION, &name, || self.try_create_service_account(call, &new, &name), again).await
    }

    async fn try_create_service_account(
        &self,
        call: &Call,
        new: &NewServiceAccount,
        name: &ServiceAccountName,
    ) -> Result<AccountView, AttemptError> {
        let project = self.load_project(&call.caller, &new.project).await?;
        let now = self.clock.now();
        let account = ServiceAccount {
            project: new.project.clone(),
            id: name.service_account.clone(),
            generation: generation(self.random.bytes()),
            display_name: new.display_name.clone(),
            external_id: new.external_id.clone(),
            metadata: new.metadata.clone(),
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            disable_time: None,
            last_used_time: None,
            protected: false,
            implicit: false,
            revision: 0,
        };
        let expect = vec![Expect::unchanged(project)];
        self.try_create(call, ACTION, account, expect, Vec::new(), now).await
    }
}

/// The step of a commit that creates `account`.
pub(in crate::verbs) fn creation(account: ServiceAccount, now: Timestamp) -> Step {
    Step::create(ACTION, account, now)
}
