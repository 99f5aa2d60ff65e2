//! The writer: takes notes from the queue, and brings them to the store without taking much of anybody's time.

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
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{info, warn};

use crate::ports::{Clock, Recording, StoreError};

use super::{
    drops::{self, Drops},
    notes::Notes,
    pace::Pace,
    sender::Note,
};

/// Takes the uses every three seconds, and writes them in portions with a rest after each. What the store does not take is kept,
/// within bounds, for later.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Note>,
    received: Vec<Note>,
    /// How many notes the queue had no room for.
    dropped: Arc<AtomicU64>,
    drops: Drops,
    notes: Notes,
    pace: Pace,
    store: Arc<dyn Recording>,
    clock: Arc<dyn Clock>,
    failing: bool,
}

/// How many notes the store had not taken when the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaved(pub usize);

/// How often uses are taken, and how long the store is left alone after it failed.
const EVERY: Duration = Duration::from_secs(3);

/// How many notes are received at once.
const HANDFUL: usize = 1_000;

/// A digest is a statement of its own.
const REHASHES: usize = 100;

/// How often a portion is tried at the end, how long after one another, and how long the store may take for it: as long as it
/// takes portions, the end may wait.
const LAST_TRIES: usize = 3;
const LAST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PATIENCE: Duration = Duration::from_secs(4);

impl Writer {
    pub(super) fn new(
        receiver: mpsc::Receiver<Note>,
        dropped: Arc<AtomicU64>,
        store: Arc<dyn Recording>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            receiver,
            received: Vec::with_capacity(HANDFUL),
            dropped,
            drops: Drops::default(),
            notes: Notes::default(),
            pace: Pace::new(),
            store,
            clock,
            failing: false,
        }
    }

    /// Writes until `stop` resolves, then takes what is left in the queue and writes it too.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Unsaved {
        let mut stop = pin!(stop);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let rest = self.pace.rest(self.clock.uptime());
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = ticks.tick() => self.take_all(),
                () = sleep(rest), if !self.notes.batch.is_empty() => if self.write_until(stop.as_mut()).await { break },
                open = self.receive() => if !open { break },
            }
        }
        self.finish().await
    }

    /// Writes a portion; of one that takes long no more is waited for a while after `stop`. Whether it was told to.
    async fn write_until(&mut self, stop: impl Future<Output = ()>) -> bool {
        let mut told = false;
        let patience = async {
            stop.await;
            told = true;
            sleep(LAST_PATIENCE).await;
        };
        tokio::select! {
            biased;
            () = patience => {}
            _ = self.write() => {}
        }
        told
    }

    /// Writes all there is, without a rest.
    async fn finish(mut self) -> Unsaved {
        self.receiver.close();
        while self.receive().await {}
        self.take_all();
        self.pace.hurry();
        let mut tries = LAST_TRIES;
        while !self.notes.batch.is_empty() && tries > 0 {
            match timeout(LAST_PATIENCE, self.write()).await {
                Ok(Ok(())) => tries = LAST_TRIES,
                Ok(Err(_)) => {
                    tries -= 1;
                    sleep(LAST_PAUSE).await;
                }
                Err(_) => break,
            }
        }
        Unsaved(self.notes.batch.len())
    }

    /// `false` when there will be no more.
    async fn receive(&mut self) -> bool {
        let number = self.receiver.recv_many(&mut self.received, HANDFUL).await;
        for note in self.received.drain(..) {
            self.notes.add(note);
        }
        number > 0
    }

    /// What waits in the queue, and everything used since this was last done.
    fn take_all(&mut self) {
        while let Ok(note) = self.receiver.try_recv() {
            self.notes.add(note);
        }
        self.notes.take();
        let dropped = self.dropped.swap(0, Relaxed) + self.notes.batch.take_dropped();
        match self.drops.hear(dropped) {
            Some(drops::Word::Begun(dropped)) => {
                warn!(recorder.dropped = dropped, "too many uses at once: some are not recorded");
            }
            Some(drops::Word::Over(dropped)) => {
                info!(recorder.dropped = dropped, "all uses are recorded again");
            }
            None => {}
        }
    }

    /// Writes a portion of each kind.
    async fn write(&mut self) -> Result<(), StoreError> {
        let start = self.clock.uptime();
        // Of two calls that fail, one tells enough.
        let written = self.write_uses(start).await;
        let written = self.write_rehashes().await.and(written);
        let end = self.clock.uptime();
        match &written {
            Ok(()) => self.pace.rest_from(start, end),
            Err(_) => self.pace.rest_until(end + EVERY),
        }
        match &written {
            Err(error) if !self.failing => {
                warn!(error = %error, recorder.waiting = self.notes.batch.len(), "uses cannot be recorded; trying on");
            }
            Ok(()) if self.failing => info!("uses are recorded again"),
            _ => {}
        }
        self.failing = written.is_err();
        written
    }

    async fn write_uses(&mut self, start: Duration) -> Result<(), StoreError> {
        let uses = self.notes.batch.uses(self.pace.portion());
        if uses.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        self.meanwhile(store.record_uses(&uses)).await?;
        self.notes.batch.forget_uses(&uses);
        self.pace.took(uses.len(), self.clock.uptime().saturating_sub(start));
        Ok(())
    }

    async fn write_rehashes(&mut self) -> Result<(), StoreError> {
        let rehashes = self.notes.batch.rehashes(REHASHES);
        if rehashes.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        self.meanwhile(store.rehash(&rehashes)).await?;
        self.notes.batch.forget_rehashes(&rehashes);
        Ok(())
    }

    /// Receives while the store works, so that the queue does not run over.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                open = self.receive() => if !open { return work.await },
            }
        }
    }
}
