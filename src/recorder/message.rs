//! What goes through the queue from verifications to the writer.

use std::sync::Arc;

use domain::id::KeyId;

use crate::ports::{
    credentials::CachedKey,
    recorder::{LastUse, Rehash},
};

#[derive(Debug)]
pub(super) enum Message {
    Used(PendingUse),
    Rehashed(Rehash),
}

/// A secret that was used. The time is read from the key when the writer takes it, so that all uses until then cost one message.
#[derive(Debug)]
pub(super) struct PendingUse {
    pub(super) id: KeyId,
    pub(super) key: Arc<CachedKey>,
    pub(super) secret_version: i32,
}

impl PendingUse {
    /// The time of the latest use; the next use sends a message again.
    pub(super) fn take(&self) -> Option<LastUse> {
        let time = self.key.credential.secret(self.secret_version)?.take_use()?;
        Some(LastUse { key: self.id, secret_version: self.secret_version, time })
    }
}
