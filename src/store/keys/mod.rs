//! Keys, with their secrets and what they are found by.

mod access;
pub(super) mod filter;
pub(super) mod read;
pub(super) mod row;
pub(super) mod secrets;
mod terms;
mod words;
pub(super) mod write;

use async_trait::async_trait;
use domain::{
    id::{KeyId, ProjectId},
    key::Key,
    page::Page,
    query::KeyOrder,
    service_account::ServiceAccount,
};

use crate::{
    ports::{
        LoadKeys, ReadKeys, StoreError,
        cleanup::KeyAt,
        keys::{KeyCounts, KeyQuery},
        load::Loaded,
    },
    store::SqlStore,
};

#[async_trait]
impl ReadKeys for SqlStore {
    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(read::one(&read, Some(project), id)).await;
        read.done(answer)
    }

    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(read::one(&read, None, id)).await;
        read.done(answer)
    }

    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(read::list(&read, query, &page)).await;
        read.done(answer)
    }

    async fn keys_of_account(&self, account: &ServiceAccount, most: u64) -> Result<Vec<Key>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(read::some_of_account(&read, account, most)).await;
        read.done(answer)
    }

    async fn keys_from_before_roles(
        &self,
        project: &ProjectId,
        page: Page<()>,
    ) -> Result<Vec<KeyAt>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(read::from_before_roles(&read, project, &page)).await;
        read.done(answer)
    }

    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(read::count(&read, query)).await;
        read.done(answer)
    }
}

#[async_trait]
impl LoadKeys for SqlStore {
    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(self.loads.run(&read, ids)).await;
        read.done(answer)
    }

    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(read::lately_used(&read, most)).await;
        read.done(answer)
    }
}
