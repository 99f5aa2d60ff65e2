//! EnableServiceAccount: its keys work again.

use domain::name::ServiceAccountName;

use crate::verbs::{AccountView, Call, Error, Service};

impl Service {
    pub async fn enable_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
    ) -> Result<AccountView, Error> {
        self.change_account(call, "serviceAccounts.enable", name, etag, |account, now| {
            account.enable(now).map_err(super::forbidden(name))
        })
        .await
    }
}
