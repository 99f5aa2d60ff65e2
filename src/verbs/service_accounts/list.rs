//! ListServiceAccounts: filtered, ordered, in pages.

use domain::{
    filter::Filter,
    id::ProjectId,
    page::{Cursor, Id, Page, SortValue},
    query::{AccountOrder, AccountTest},
    service_account::ServiceAccount,
};

use crate::verbs::{AccountView, Caller, Error, Listing, Service};

#[derive(Debug)]
pub struct ListAccounts {
    pub project: ProjectId,
    pub filter: Filter<AccountTest>,
    pub page: Page<AccountOrder>,
}

impl Service {
    pub async fn list_service_accounts(
        &self,
        caller: &Caller,
        request: ListAccounts,
    ) -> Result<Listing<AccountView>, Error> {
        self.load_project(caller, &request.project).await?;
        let (size, by) = (request.page.size, request.page.order.by);
        let page = request.page.and_one();
        let accounts = self.store.service_accounts(&request.project, &request.filter, page).await?;
        self.listing(caller, accounts, size, |account| cursor(account, by), self.clock.now()).await
    }
}

fn cursor(account: &ServiceAccount, by: AccountOrder) -> Cursor {
    Cursor {
        value: match by {
            AccountOrder::CreateTime => SortValue::Number(account.create_time.as_micros()),
            AccountOrder::DisplayName => SortValue::Text(account.display_name.to_string()),
        },
        id: Id::Text(account.id.to_string()),
    }
}
