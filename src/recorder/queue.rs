//! The bounded queue to the writer: a verification never waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use domain::{decision::Code, id::KeyId};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::ports::{Recorder, credentials::CachedKey, recorder::Rehash};

use super::{
    decisions::Decisions,
    message::{Message, PendingUse},
};

/// How many messages the queue holds.
pub(super) const CAPACITY: usize = 16_384;

/// The recorder of verifications. When the queue is full, a message is dropped and counted.
#[derive(Debug)]
pub struct Queue {
    sender: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
    decisions: Arc<Decisions>,
}

impl Queue {
    pub(super) fn new(sender: mpsc::Sender<Message>, dropped: Arc<AtomicU64>) -> Self {
        Self { sender, dropped, decisions: Arc::default() }
    }

    pub fn decisions(&self) -> Arc<Decisions> {
        Arc::clone(&self.decisions)
    }
}

impl Recorder for Queue {
    fn decided(&self, code: Code) {
        self.decisions.count(code);
    }

    fn used(&self, id: KeyId, key: Arc<CachedKey>, secret_version: i32) {
        let pending = PendingUse { id, key, secret_version };
        if let Err(
            TrySendError::Full(Message::Used(pending)) | TrySendError::Closed(Message::Used(pending)),
        ) = self.sender.try_send(Message::Used(pending))
        {
            self.dropped.fetch_add(1, Relaxed);
            // The writer will not take this use: the next one must send a message again.
            pending.take();
        }
    }

    fn rehashed(&self, rehash: Rehash) {
        if self.sender.try_send(Message::Rehashed(rehash)).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{digest::Digest, id::KeyId, key::Sealed, time::Timestamp};

    use super::*;

    fn rehash(secret_version: i32) -> Rehash {
        Rehash {
            key: KeyId::new(Timestamp::from_micros(0), [0; 10]),
            secret_version,
            replaces: 1,
            sealed: Sealed { digest: Digest::from_bytes([0; 32]), pepper: 2 },
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (sender, mut receiver) = mpsc::channel(2);
        let queue = Queue::new(sender, Arc::default());
        for version in 0..5 {
            queue.rehashed(rehash(version));
        }
        assert_eq!(queue.dropped.load(Relaxed), 3);
        assert!(matches!(receiver.try_recv(), Ok(Message::Rehashed(it)) if it.secret_version == 0));
        queue.rehashed(rehash(5));
        assert_eq!(queue.dropped.load(Relaxed), 3, "the queue has room again");
    }

    #[test]
    fn a_queue_without_a_writer_drops_and_counts() {
        let (sender, receiver) = mpsc::channel(2);
        drop(receiver);
        let queue = Queue::new(sender, Arc::default());
        queue.rehashed(rehash(0));
        assert_eq!(queue.dropped.load(Relaxed), 1);
    }
}
