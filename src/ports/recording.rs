//! What verifications leave in the database. None of it is a change in the sense of the log.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    StoreError,
    recorder::{LastUse, Rehash},
};

#[async_trait]
pub trait Recording: Debug + Send + Sync + 'static {
    /// Moves last-used times forward, in one transaction; uses of keys that do not exist are ignored. Changes may wait for
    /// that transaction, so a caller with many uses brings them in portions.
    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Replaces digests by those under a newer pepper.
    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError>;
}
