//! Looking up service accounts.

use std::{collections::HashMap, fmt::Debug};

use async_trait::async_trait;
use domain::{
    filter::Filter,
    id::{ProjectId, ServiceAccountId},
    page::Page,
    query::{AccountOrder, AccountTest},
    service_account::ServiceAccount,
    text::DisplayName,
    time::Timestamp,
};

use super::StoreError;

/// Absence is `Ok(None)`; every look-up names its project.
#[async_trait]
pub trait ReadServiceAccounts: Debug + Send + Sync + 'static {
    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError>;

    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError>;

    /// The labels of those among `ids` that exist.
    async fn account_labels(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, AccountLabel>, StoreError>;
}

/// What an answer shows of an account that did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLabel {
    pub display_name: DisplayName,
    /// When it was created: whatever is older was done by another account of the same id.
    pub since: Timestamp,
}
