//! What is to be removed: purged keys, what a deleted resource left behind, and old request ids.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    id::Generation,
    key::Key,
    page::Cursor,
    removal::{Removal, Removed},
    service_account::ServiceAccount,
    time::Timestamp,
};

use super::StoreError;

#[async_trait]
pub trait Cleanup: Debug + Send + Sync + 'static {
    /// The first of the keys that are to be removed, or those behind `after`.
    async fn keys_to_remove(
        &self,
        which: Removable<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<KeyAt>, StoreError>;

    /// The implicit accounts that own some of `keys`, and no others.
    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError>;

    /// The first of the removals that are not finished, or those behind `after`.
    async fn removals(&self, after: Option<&RemovalCursor>, most: u64) -> Result<Vec<RemovalAt>, StoreError>;

    /// Forgets a removal that has left nothing to do. No change in the sense of the log, which has an event for each part of it.
    async fn finish(&self, removal: &Removal) -> Result<(), StoreError>;

    /// Forgets a portion of the requests from before that time, and says whether there may be more.
    async fn forget_requests(&self, before: Timestamp) -> Result<bool, StoreError>;
}

/// Which keys are to be removed.
#[derive(Debug, Clone, Copy)]
pub enum Removable<'a> {
    /// Deleted keys whose purge time has come, the earliest first.
    Due(Timestamp),
    /// Those that a removal still has to change, delete or purge: of an owner the oldest first, of a role in the order of ids.
    LeftBehind(&'a Removed),
}

/// A key with its position in the order that it was read in; one that cannot be read has a position as well.
#[derive(Debug)]
pub struct KeyAt {
    pub cursor: Cursor,
    pub key: Result<Key, StoreError>,
}

/// A removal's position in the order of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalCursor {
    /// Of a project, or of a service account.
    Owner { project: String, service_account: String, generation: Generation },
    /// These come after all others.
    Role { project: String, role: String },
}

/// A removal with its position; one that cannot be read has a position as well.
#[derive(Debug)]
pub struct RemovalAt {
    pub cursor: RemovalCursor,
    pub removal: Result<Removal, StoreError>,
}
