//! The change log as an invalidation feed, for a follower that must see every change.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    Revision,
    audit::{Hash, Head},
};

use super::StoreError;

/// Its reads never wait for those of admins.
#[async_trait]
pub trait Feed: Debug + Send + Sync + 'static {
    /// What changed after `revision`, in order.
    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<FeedEntry>, StoreError>;

    /// The head of the log, as [`ReadLog::head`](super::ReadLog::head) has it.
    async fn head_for_verifications(&self) -> Result<Head, StoreError>;
}

/// One entry of the change log, as far as a follower needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    pub revision: Revision,
    pub target: String,
    pub previous_hash: Hash,
    pub hash: Hash,
}

impl FeedEntry {
    pub fn head(&self) -> Head {
        Head { revision: self.revision, hash: self.hash }
    }
}

/// Notifications from the database that something changed; some may be lost.
#[async_trait]
pub trait Wakeups: Debug + Send {
    /// Resolves at the next notification, or never where the database sends none.
    async fn next(&mut self);
}
