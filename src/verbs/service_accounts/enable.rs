//! EnableServiceAccount: its keys work again.

use domain::{name::ServiceAccountName, service_account::ServiceAccount};

use crate::verbs::{AccountView, Call, Error, Service, change::forbidden};

impl Service {
    pub async fn enable_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
    ) -> Result<AccountView, Error> {
        self.change(call, "serviceAccounts.enable", name, etag, |account: ServiceAccount, now| {
            account.enable(now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }
}
