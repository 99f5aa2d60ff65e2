//! The recorder: a bounded queue that never makes a verification wait, and the writer at its other end.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::{
    domain::candidate::Candidate,
    ports::{
        Recorder, Store, StoreError,
        recorder::{Rehash, Use},
    },
};

use super::batch::{Batch, Note, PORTION};

/// A queue, and the writer that empties it into `store`.
pub fn recorder(store: Arc<dyn Store>) -> (Queue, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { sender, dropped: Arc::clone(&dropped) };
    let writer =
        Writer { receiver, dropped, store, used: Vec::new(), batch: Batch::default(), failing: false };
    (queue, writer)
}

/// Where verifications leave their notes; when it is full, a note is dropped and counted.
#[derive(Debug)]
pub struct Queue {
    sender: mpsc::Sender<Word>,
    dropped: Arc<AtomicU64>,
}

/// Writes notes to the store every three seconds, or as soon as there are enough. What the store does not take is kept, within
/// bounds, for the next time.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Word>,
    dropped: Arc<AtomicU64>,
    store: Arc<dyn Store>,
    /// Secrets whose uses are taken at the next flush.
    used: Vec<Used>,
    batch: Batch,
    failing: bool,
}

/// How many notes the store had not taken when the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaved(pub usize);

/// How many notes may wait in the queue.
const WAITING: usize = 16_384;

const EVERY: Duration = Duration::from_secs(3);

/// How often the last flush is tried.
const LAST_TRIES: usize = 3;

/// What goes through the queue.
#[derive(Debug)]
enum Word {
    Used(Used),
    Rehashed(Rehash),
}

/// A secret whose uses are to be taken: at the next flush, so that they cost one note until then.
#[derive(Debug)]
struct Used {
    key: Arc<Candidate>,
    secret_version: i32,
}

impl Used {
    fn take(&self) -> Option<Use> {
        let time = self.key.secret(self.secret_version)?.take_use()?;
        Some(Use { key: self.key.id, secret_version: self.secret_version, time })
    }
}

impl Recorder for Queue {
    fn used(&self, key: Arc<Candidate>, secret_version: i32) {
        let used = Used { key, secret_version };
        if let Err(TrySendError::Full(Word::Used(used)) | TrySendError::Closed(Word::Used(used))) =
            self.sender.try_send(Word::Used(used))
        {
            self.dropped.fetch_add(1, Relaxed);
            // Nobody will take it: the next use is a first one again.
            used.take();
        }
    }

    fn rehashed(&self, rehash: Rehash) {
        if self.sender.try_send(Word::Rehashed(rehash)).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Writer {
    /// Writes until `stop` resolves, then takes what is left in the queue and writes it too.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Unsaved {
        let mut stop = pin!(stop);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = Vec::with_capacity(PORTION);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = ticks.tick() => self.flush().await,
                received = self.receiver.recv_many(&mut notes, PORTION) => {
                    if received == 0 {
                        break; // the queue is gone
                    }
                    self.gather(&mut notes);
                    // While the store fails, the ticks alone set the pace.
                    if self.used.len() + self.batch.len() >= WAITING && !self.failing {
                        self.flush().await;
                    }
                }
            }
        }
        self.receiver.close();
        while self.receiver.recv_many(&mut notes, PORTION).await > 0 {
            self.gather(&mut notes);
        }
        for _ in 0..LAST_TRIES {
            self.flush().await;
            if self.batch.len() == 0 {
                break;
            }
            ticks.tick().await;
        }
        Unsaved(self.batch.len())
    }

    fn gather(&mut self, words: &mut Vec<Word>) {
        for word in words.drain(..) {
            match word {
                Word::Used(used) => self.used.push(used),
                Word::Rehashed(rehash) => self.batch.add(Note::Rehashed(rehash)),
            }
        }
    }

    async fn flush(&mut self) {
        for used in self.used.drain(..) {
            if let Some(usage) = used.take() {
                self.batch.add(Note::Used(usage));
            }
        }
        let dropped = self.dropped.swap(0, Relaxed) + self.batch.take_dropped();
        if dropped > 0 {
            warn!(recorder.dropped = dropped, "too many uses at once: some were not recorded");
        }
        // Of two calls that fail, one tells enough.
        let written = self.write_uses().await;
        let written = self.write_rehashes().await.and(written);
        match &written {
            Err(error) if !self.failing => {
                warn!(error = %error, recorder.waiting = self.batch.len(), "uses cannot be recorded; trying on");
            }
            Ok(()) if self.failing => info!("uses are recorded again"),
            _ => {}
        }
        self.failing = written.is_err();
    }

    async fn write_uses(&mut self) -> Result<(), StoreError> {
        loop {
            let uses = self.batch.uses();
            if uses.is_empty() {
                return Ok(());
            }
            self.store.record_uses(&uses).await?;
            self.batch.forget_uses(&uses);
        }
    }

    async fn write_rehashes(&mut self) -> Result<(), StoreError> {
        loop {
            let rehashes = self.batch.rehashes();
            if rehashes.is_empty() {
                return Ok(());
            }
            self.store.rehash(&rehashes).await?;
            self.batch.forget_rehashes(&rehashes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{digest::Digest, id::KeyId, key::Sealed, time::Timestamp};

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
        let queue = Queue { sender, dropped: Arc::default() };
        for version in 0..5 {
            queue.rehashed(rehash(version));
        }
        assert_eq!(queue.dropped.load(Relaxed), 3);
        assert!(matches!(receiver.try_recv(), Ok(Word::Rehashed(it)) if it.secret_version == 0));
        queue.rehashed(rehash(5));
        assert_eq!(queue.dropped.load(Relaxed), 3, "there was room again");
    }

    #[test]
    fn a_queue_without_a_writer_drops_and_counts() {
        let (sender, receiver) = mpsc::channel(2);
        drop(receiver);
        let queue = Queue { sender, dropped: Arc::default() };
        queue.rehashed(rehash(0));
        assert_eq!(queue.dropped.load(Relaxed), 1);
    }
}
