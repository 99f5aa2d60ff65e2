//! GetServiceAccount.

use domain::{name::ServiceAccountName, service_account::ServiceAccount};

use crate::verbs::{AccountView, Caller, Error, Service};

impl Service {
    pub async fn get_service_account(
        &self,
        caller: &Caller,
        name: &ServiceAccountName,
    ) -> Result<AccountView, Error> {
        self.get::<ServiceAccount>(caller, name).await
    }
}
