//! What housekeeping reads and forgets.

use async_trait::async_trait;
use domain::{
    key::Key,
    page::{Cursor, Order, Page},
    removal::Removal,
    service_account::ServiceAccount,
    time::Timestamp,
};

use crate::ports::{
    Cleanup, StoreError,
    cleanup::{KeyAt, Removable, RemovalAt, RemovalCursor},
};

use super::{SqlStore, keys, removals, requests, service_accounts};

#[async_trait]
impl Cleanup for SqlStore {
    async fn keys_to_remove(
        &self,
        which: Removable<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<KeyAt>, StoreError> {
        let page = Page { size: most, order: Order { by: (), descending: false }, after };
        let read = self.admin.begin().await?;
        let answer = read.within(keys::read::to_remove(&read, which, &page)).await;
        read.done(answer)
    }

    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(service_accounts::implicit_owners(&read, keys)).await;
        read.done(answer)
    }

    async fn removals(&self, after: Option<&RemovalCursor>, most: u64) -> Result<Vec<RemovalAt>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(removals::list(&read, after, most)).await;
        read.done(answer)
    }

    async fn finish(&self, removal: &Removal) -> Result<(), StoreError> {
        removals::finish(self, removal).await
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<bool, StoreError> {
        requests::forget(self, before).await
    }
}
