//! DisableServiceAccount: all its keys answer OWNER_DISABLED.

use domain::name::ServiceAccountName;

use crate::verbs::{AccountView, Call, Error, Service};

impl Service {
    pub async fn disable_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
    ) -> Result<AccountView, Error> {
        self.change_account(call, "serviceAccounts.disable", name, etag, |account, now| {
            account.disable(now).map_err(super::forbidden(name))
        })
        .await
    }
}
