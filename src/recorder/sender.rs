//! The recorder: a bounded queue that never makes a verification wait.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use domain::{decision::Code, id::KeyId};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::ports::{
    Clock, Recorder, Recording,
    credentials::CachedKey,
    recorder::{Rehash, Use},
};

use super::{decisions::Decisions, writer::Writer};

/// A queue, and the writer that empties it into `store`.
pub fn recorder(store: Arc<dyn Recording>, clock: Arc<dyn Clock>) -> (Queue, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { sender, dropped: Arc::clone(&dropped), decisions: Arc::default() };
    (queue, Writer::new(receiver, dropped, store, clock))
}

/// Where verifications leave their notes; when it is full, a note is dropped and counted.
#[derive(Debug)]
pub struct Queue {
    sender: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
    decisions: Arc<Decisions>,
}

impl Queue {
    pub fn decisions(&self) -> Arc<Decisions> {
        Arc::clone(&self.decisions)
    }
}

/// How many notes may wait in the queue.
pub(super) const WAITING: usize = 16_384;

/// What goes through the queue.
#[derive(Debug)]
pub(super) enum Note {
    Used(Used),
    Rehashed(Rehash),
}

/// A secret whose uses are to be taken: at the next flush, so that they cost one note until then.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) id: KeyId,
    pub(super) key: Arc<CachedKey>,
    pub(super) secret_version: i32,
}

impl Used {
    pub(super) fn take(&self) -> Option<Use> {
        let time = self.key.credential.secret(self.secret_version)?.take_use()?;
        Some(Use { key: self.id, secret_version: self.secret_version, time })
    }
}

impl Recorder for Queue {
    fn decided(&self, code: Code) {
        self.decisions.count(code);
    }

    fn used(&self, id: KeyId, key: Arc<CachedKey>, secret_version: i32) {
        let used = Used { id, key, secret_version };
        if let Err(TrySendError::Full(Note::Used(used)) | TrySendError::Closed(Note::Used(used))) =
            self.sender.try_send(Note::Used(used))
        {
            self.dropped.fetch_add(1, Relaxed);
            // Nobody will take it: the next use is a first one again.
            used.take();
        }
    }

    fn rehashed(&self, rehash: Rehash) {
        if self.sender.try_send(Note::Rehashed(rehash)).is_err() {
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
        let queue = Queue { sender, dropped: Arc::default(), decisions: Arc::default() };
        for version in 0..5 {
            queue.rehashed(rehash(version));
        }
        assert_eq!(queue.dropped.load(Relaxed), 3);
        assert!(matches!(receiver.try_recv(), Ok(Note::Rehashed(it)) if it.secret_version == 0));
        queue.rehashed(rehash(5));
        assert_eq!(queue.dropped.load(Relaxed), 3, "there was room again");
    }

    #[test]
    fn a_queue_without_a_writer_drops_and_counts() {
        let (sender, receiver) = mpsc::channel(2);
        drop(receiver);
        let queue = Queue { sender, dropped: Arc::default(), decisions: Arc::default() };
        queue.rehashed(rehash(0));
        assert_eq!(queue.dropped.load(Relaxed), 1);
    }
}
