//! UpdateServiceAccount.

use domain::{
    labels::Metadata,
    name::ServiceAccountName,
    service_account::ServiceAccount,
    text::{DisplayName, ExternalId},
};

use crate::verbs::{AccountView, Call, Error, Service};

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    pub display_name: Option<DisplayName>,
    pub external_id: Option<ExternalId>,
    pub metadata: Option<Metadata>,
}

impl Service {
    pub async fn update_service_account(
        &self,
        call: &Call,
        name: &ServiceAccountName,
        etag: &str,
        patch: &AccountPatch,
    ) -> Result<AccountView, Error> {
        self.change(call, "serviceAccounts.update", name, etag, |mut account: ServiceAccount, now| {
            let patch = patch.clone();
            let before = account.clone();
            account.display_name = patch.display_name.unwrap_or(account.display_name);
            account.external_id = patch.external_id.unwrap_or(account.external_id);
            account.metadata = patch.metadata.unwrap_or(account.metadata);
            // Somebody cares for it: it stays without keys.
            account.implicit &= account == before;
            account.update_time = now;
            Ok(account.into())
        })
        .await
    }
}
