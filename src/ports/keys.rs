//! Looking up keys.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    filter::Filter,
    id::{KeyId, ProjectId},
    key::Key,
    page::Page,
    project::KeyPolicy,
    query::{KeyOrder, KeyTest},
    service_account::ServiceAccount,
    time::Timestamp,
};

use super::{StoreError, cleanup::KeyAt};

/// Absence is `Ok(None)`; every look-up but one names its project.
#[async_trait]
pub trait ReadKeys: Debug + Send + Sync + 'static {
    /// The key, deleted or not, unless its project is deleted.
    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError>;

    /// The key in whichever project it is, for a caller that may see all of them.
    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError>;

    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError>;

    /// The keys of `account` that are not deleted, and at most so many of them, in any order.
    async fn keys_of_account(&self, account: &ServiceAccount, most: u64) -> Result<Vec<Key>, StoreError>;

    /// Keys of `project` that were written before keys had roles, and not changed since, the oldest first; deleted ones too.
    async fn keys_from_before_roles(
        &self,
        project: &ProjectId,
        page: Page<()>,
    ) -> Result<Vec<KeyAt>, StoreError>;

    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError>;
}

#[derive(Debug, Clone, Copy)]
pub struct KeyQuery<'a> {
    pub project: &'a ProjectId,
    /// Of the project: which keys violate it.
    pub policy: &'a KeyPolicy,
    pub filter: &'a Filter<KeyTest>,
    /// Deleted keys as well, as long as they are not purged.
    pub show_deleted: bool,
    /// Decides which keys are expired, and which are purged.
    pub now: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCounts {
    pub active: u64,
    pub disabled: u64,
    pub revoked: u64,
    pub expired: u64,
    pub deleted: u64,
}
