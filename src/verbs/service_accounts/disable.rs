//! DisableServiceAccount: all its keys answer OWNER_DISABLED.

use domain::{name::ServiceAccountName, service_account::ServiceAccount};

use crate::verbs::{AccountView, Call, Error, Service, change::forbidden};

impl Service {
    pub async fn disable_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
    ) -> Result<AccountView, Error> {
        self.change(call, "serviceAccounts.disable", name, etag, |account: ServiceAccount, now| {
            account.disable(now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }
}
