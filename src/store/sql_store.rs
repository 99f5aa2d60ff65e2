//! The store itself: its connections, by what they are for.

use std::fmt;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;

use crate::ports::{Readiness, StoreError};

use super::{error::failed, load, options::Options, reads::Reads, transaction::Observer, turns::Turns};

pub struct SqlStore {
    /// What verifications need, the follower and readiness: nothing else may use these connections.
    pub(super) verify: Reads,
    pub(super) admin: Reads,
    /// For transactions that write, and for what a start needs to know.
    pub(super) db: DatabaseConnection,
    pub(super) turns: Turns,
    pub(super) loads: load::Queries,
    pub(super) observer: Option<Observer>,
    pub(super) options: Options,
}

#[async_trait]
impl Readiness for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(async { read.ping().await.map_err(failed) }).await;
        read.done(answer)
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("options", &self.options).finish_non_exhaustive()
    }
}
