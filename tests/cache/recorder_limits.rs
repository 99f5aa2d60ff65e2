//! The recorder at its limits: how much it writes at a time, what it drops, and when it gives up.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use keystile::recorder::Unsaved;
use tokio::time::sleep;
use tracing_subscriber::fmt;

use crate::{
    faulty::Mode,
    recorder::{Recording, SIZE, keys, use_at},
};

/// What this thread logs.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        tracing::subscriber::set_default(fmt().with_writer(move || log.clone()).with_ansi(false).finish())
    }

    /// The number at the end of the line with this `text`.
    fn number(&self, text: &str) -> Option<u64> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let line = log.lines().find(|line| line.contains(text))?;
        line.rsplit_once('=')?.1.parse().ok()
    }
}

#[tokio::test]
async fn portions_grow_while_the_store_is_quick() {
    let recording = Recording::start(&keys(10 * SIZE as u64)).await;
    recording.store.pretend_to_write_uses(Duration::from_millis(5));
    recording.store.portions_reach(3).await;
    let sizes: Vec<_> = recording.store.portions().iter().map(Vec::len).collect();
    assert_eq!(sizes[..3], [SIZE, SIZE + SIZE / 4, 400]);
}

/// Only attempts that fail one after another are a reason to give up.
#[tokio::test]
async fn at_the_end_a_store_that_fails_now_and_then_is_not_given_up() {
    let recording = Recording::start(&keys(16_000)).await;
    recording.store.fail_every_other_write_of_uses();
    let (unsaved, store, _) = recording.stop().await;
    assert_eq!(unsaved, Unsaved(0));
    assert!(store.portions().len() >= 4, "it failed less often than it may in a row");
    assert_eq!(store.portions().concat().len(), 16_000);
}

/// The queue and the batch are both bounded.
#[tokio::test]
async fn what_is_dropped_is_logged() {
    const QUEUE: u64 = 16_384;
    const BATCH: u64 = 100_000;
    let log = Log::default();
    let _logs = log.start();
    let keys = keys(120_000);
    // The first go into the queue before the writer runs.
    let (first, others) = keys.split_at(20_000);
    let recording = Recording::start(first).await;
    recording.store.set(Mode::Fails);
    for portion in others.chunks(10_000) {
        sleep(Duration::from_millis(100)).await;
        for key in portion {
            use_at(&recording.queue, key, 1);
        }
    }
    sleep(Duration::from_secs(10)).await;
    let dropped = log.number("is overloaded and drops");
    assert_eq!(dropped, Some(20_000 - QUEUE), "{log:?}");
    let total = log.number("no longer overloaded");
    assert_eq!(total, Some(keys.len() as u64 - BATCH));
}
