//! What answers show of a service account.

use domain::{Revision, name::ServiceAccountName, service_account::ServiceAccount, time::Timestamp};

use crate::{
    ports::StoreError,
    verbs::{
        Caller, Creator, Service,
        managed::{Managed, View},
    },
};

#[derive(Debug, Clone)]
pub struct AccountView {
    pub account: ServiceAccount,
    pub creator: Option<Creator>,
}

impl Managed for ServiceAccount {
    type View = AccountView;

    async fn find(service: &Service, name: &ServiceAccountName) -> Result<Option<Self>, StoreError> {
        service.store.service_account(&name.project, &name.service_account).await
    }

    async fn views(
        service: &Service,
        caller: &Caller,
        accounts: Vec<Self>,
        _: Timestamp,
    ) -> Result<Vec<AccountView>, StoreError> {
        let creators =
            service.creators(caller, accounts.iter().filter_map(|it| it.created_by.as_ref())).await?;
        let view = |account: Self| AccountView {
            creator: creators.at(account.created_by.as_ref(), account.create_time),
            account,
        };
        Ok(accounts.into_iter().map(view).collect())
    }
}

impl View for AccountView {
    fn show_revision(&mut self, revision: Revision) {
        self.account.revision = revision;
    }
}
