//! Turns to write: a change that waits for others holds no connection meanwhile.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::ports::StoreError;

use super::{pools::Target, queue::Queue};

/// Every change locks the head of the log, so more of them at the database would only wait there. SQLite takes one writer at a
/// time, whatever it writes; waiting here is fair and cheap, waiting there is neither.
#[derive(Debug)]
pub(super) struct Turns {
    queue: Queue,
    one_writer: bool,
}

/// The right to begin a transaction that writes, until it has ended.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Up to `most` changes at the database at a time.
    pub(super) fn new(target: &Target, most: u32, patience: Duration) -> Self {
        let one_writer = matches!(target, Target::Sqlite(_));
        let most = if one_writer { 1 } else { most };
        Self { queue: Queue::bounded(most, "changes", patience), one_writer }
    }

    /// The turn of a change.
    pub(super) async fn change(&self) -> Result<Turn, StoreError> {
        Ok(Turn { _permit: Some(self.queue.enter().await?) })
    }

    /// The turn of what is no change, and needs no head of the log.
    pub(super) async fn aside(&self) -> Result<Turn, StoreError> {
        if self.one_writer { self.change().await } else { Ok(Turn { _permit: None }) }
    }
}
