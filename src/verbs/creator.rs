//! The accounts of the system project that made or did something, as answers show them.

use std::collections::HashMap;

use domain::{
    id::{ProjectId, ServiceAccountId},
    text::DisplayName,
    time::Timestamp,
};

use crate::ports::{StoreError, service_accounts::AccountLabel};

use super::{Caller, Service};

/// A service account of the system project that did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    pub service_account: ServiceAccountId,
    /// `None` once the account is gone.
    pub display_name: Option<DisplayName>,
}

#[derive(Default)]
pub(super) struct Creators(HashMap<ServiceAccountId, AccountLabel>);

impl Creators {
    /// The `account` that did something at `time`; one that was created later under the same id is another account.
    pub(super) fn at(&self, account: Option<&ServiceAccountId>, time: Timestamp) -> Option<Creator> {
        let account = account?;
        let label = self.0.get(account).filter(|label| label.since <= time);
        Some(Creator {
            service_account: account.clone(),
            display_name: label.map(|label| label.display_name.clone()),
        })
    }
}

impl Service {
    /// Looks `accounts` up on behalf of a caller.
    pub(super) async fn creators<'a>(
        &self,
        _: &Caller,
        accounts: impl Iterator<Item = &'a ServiceAccountId>,
    ) -> Result<Creators, StoreError> {
        let mut ids: Vec<_> = accounts.cloned().collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Creators::default());
        }
        self.store.account_labels(&ProjectId::system(), &ids).await.map(Creators)
    }
}
