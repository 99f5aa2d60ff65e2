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
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::ports::{
    Recorder, Store, StoreError,
    recorder::{Rehash, Use},
};

use super::batch::{Batch, Note, PORTION};

/// A queue, and the writer that empties it into `store`.
pub fn recorder(store: Arc<dyn Store>) -> (Queue, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { sender, dropped: Arc::clone(&dropped) };
    let writer = Writer { receiver, dropped, store, batch: Batch::default(), failing: false };
    (queue, writer)
}

/// Where verifications leave their notes; when it is full, a note is dropped and counted.
#[derive(Debug)]
pub struct Queue {
    sender: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
}

/// Writes notes to the store every second, or as soon as there are enough. What the store does not take is kept, within
/// bounds, for the next time.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Note>,
    dropped: Arc<AtomicU64>,
    store: Arc<dyn Store>,
    batch: Batch,
    failing: bool,
}

/// How many notes the store had not taken when the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaved(pub usize);

/// How many notes may wait in the queue.
const WAITING: usize = 16_384;

const EVERY: Duration = Duration::from_secs(1);

/// How often the last flush is tried.
const LAST_TRIES: usize = 3;

impl Recorder for Queue {
    fn used(&self, usage: Use) {
        self.leave(Note::Used(usage));
    }

    fn rehashed(&self, rehash: Rehash) {
        self.leave(Note::Rehashed(rehash));
    }
}

impl Queue {
    fn leave(&self, note: Note) {
        if self.sender.try_send(note).is_err() {
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
                    if self.batch.len() >= PORTION && !self.failing {
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

    fn gather(&mut self, notes: &mut Vec<Note>) {
        for note in notes.drain(..) {
            self.batch.add(note);
        }
    }

    async fn flush(&mut self) {
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
    use crate::domain::{id::KeyId, time::Timestamp};

    fn usage(micros: i64) -> Use {
        Use {
            key: KeyId::new(Timestamp::from_micros(0), [0; 10]),
            secret_version: 1,
            time: Timestamp::from_micros(micros),
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (sender, mut receiver) = mpsc::channel(2);
        let queue = Queue { sender, dropped: Arc::default() };
        for micros in 0..5 {
            queue.used(usage(micros));
        }
        assert_eq!(queue.dropped.load(Relaxed), 3);
        assert!(matches!(receiver.try_recv(), Ok(Note::Used(it)) if it == usage(0)));
        queue.used(usage(5));
        assert_eq!(queue.dropped.load(Relaxed), 3, "there was room again");
    }

    #[test]
    fn a_queue_without_a_writer_drops_and_counts() {
        let (sender, receiver) = mpsc::channel(2);
        drop(receiver);
        let queue = Queue { sender, dropped: Arc::default() };
        queue.used(usage(0));
        assert_eq!(queue.dropped.load(Relaxed), 1);
    }
}
