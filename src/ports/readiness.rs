//! Whether the database answers.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreError;

#[async_trait]
pub trait Readiness: Debug + Send + Sync + 'static {
    /// Asks the database for an answer, on the connections that verifications use.
    async fn ping(&self) -> Result<(), StoreError>;
}
