//! GetServiceAccount.

use domain::name::ServiceAccountName;

use crate::verbs::{AccountView, Error, Service};

impl Service {
    pub async fn get_service_account(&self, name: &ServiceAccountName) -> Result<AccountView, Error> {
        let account = self.load_account(name).await?;
        Ok(self.view_account(account).await?)
    }
}
