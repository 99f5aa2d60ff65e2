//! The writer: receives from the queue, and writes to the store in the background.

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
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    ports::{Clock, Recording, StoreError},
    schedule::Schedule,
    telemetry::{Outage, Turn},
};

use super::{duty_cycle::DutyCycle, message::Message, pending::Pending};

/// Takes the pending uses every three seconds, and writes them in portions with a rest after each. What the store does not accept
/// is kept for a later attempt, within bounds.
#[derive(Debug)]
pub struct Writer {
    receiver: mpsc::Receiver<Message>,
    received: Vec<Message>,
    /// How many messages found the queue full.
    dropped: Arc<AtomicU64>,
    overload: Outage,
    pending: Pending,
    duty_cycle: DutyCycle,
    store: Arc<dyn Recording>,
    clock: Arc<dyn Clock>,
    outage: Outage,
}

/// How many uses and digests were not written when the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaved(pub usize);

/// How often pending uses are taken, and how long to wait after the store failed.
const EVERY: Duration = Duration::from_secs(3);

/// How many messages are received at once.
const RECEIVED_AT_ONCE: usize = 1_000;

/// How many digests one write replaces: each is a statement of its own.
const REHASHES: usize = 100;

/// At the end: how often a portion is tried, the pause between attempts, and how long one may take. As long as portions succeed,
/// the end waits.
const LAST_TRIES: usize = 3;
const LAST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PATIENCE: Duration = Duration::from_secs(4);

impl Writer {
    pub(super) fn new(
        receiver: mpsc::Receiver<Message>,
        dropped: Arc<AtomicU64>,
        store: Arc<dyn Recording>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            receiver,
            received: Vec::with_capacity(RECEIVED_AT_ONCE),
            dropped,
            overload: Outage::default(),
            pending: Pending::default(),
            duty_cycle: DutyCycle::new(),
            store,
            clock,
            outage: Outage::default(),
        }
    }

    /// Writes until `stop` resolves, then empties the queue and writes the rest.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Unsaved {
        let mut stop = pin!(stop);
        let mut schedule = Schedule::every(EVERY);
        loop {
            let rest = self.duty_cycle.rest(self.clock.uptime());
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = schedule.next() => self.take_all(),
                () = sleep(rest), if !self.pending.batch.is_empty() => if self.write_until(stop.as_mut()).await { break },
                open = self.receive() => if !open { break },
            }
        }
        self.finish().await
    }

    /// Writes a portion, and answers whether `stop` resolved meanwhile: from then on the portion has limited time left.
    async fn write_until(&mut self, stop: impl Future<Output = ()>) -> bool {
        let mut stopping = false;
        let patience = async {
            stop.await;
            stopping = true;
            sleep(LAST_PATIENCE).await;
        };
        tokio::select! {
            biased;
            () = patience => {}
            _ = self.write() => {}
        }
        stopping
    }

    /// Writes everything, without a rest.
    async fn finish(mut self) -> Unsaved {
        self.receiver.close();
        while self.receive().await {}
        self.take_all();
        self.duty_cycle.hurry();
        let mut tries = LAST_TRIES;
        while !self.pending.batch.is_empty() && tries > 0 {
            match timeout(LAST_PATIENCE, self.write()).await {
                Ok(Ok(())) => tries = LAST_TRIES,
                Ok(Err(_)) => {
                    tries -= 1;
                    sleep(LAST_PAUSE).await;
                }
                Err(_) => break,
            }
        }
        Unsaved(self.pending.batch.len())
    }

    /// `false` once the queue is closed and empty.
    async fn receive(&mut self) -> bool {
        let number = self.receiver.recv_many(&mut self.received, RECEIVED_AT_ONCE).await;
        for message in self.received.drain(..) {
            self.pending.add(message);
        }
        number > 0
    }

    /// Empties the queue, and takes the pending uses.
    fn take_all(&mut self) {
        while let Ok(message) = self.receiver.try_recv() {
            self.pending.add(message);
        }
        self.pending.take_uses();
        let dropped = self.dropped.swap(0, Relaxed) + self.pending.batch.take_dropped();
        match self.overload.note(dropped) {
            Some(Turn::Began { failures }) => {
                warn!(recorder.dropped = failures, "the recorder is overloaded and drops last-used times");
            }
            Some(Turn::Ended { failures }) => {
                info!(recorder.dropped = failures, "the recorder is no longer overloaded");
            }
            None => {}
        }
    }

    /// Writes a portion of each kind.
    async fn write(&mut self) -> Result<(), StoreError> {
        let start = self.clock.uptime();
        // If both fail, the error of one is enough.
        let written = self.write_uses(start).await;
        let written = self.write_rehashes().await.and(written);
        let end = self.clock.uptime();
        match &written {
            Ok(()) => self.duty_cycle.rest_from(start, end),
            Err(_) => self.duty_cycle.rest_until(end + EVERY),
        }
        match (self.outage.note(written.is_err()), &written) {
            (Some(Turn::Began { .. }), Err(error)) => {
                let pending = self.pending.batch.len();
                warn!(error = %error, recorder.pending = pending, "last-used times cannot be written; retrying");
            }
            (Some(Turn::Ended { .. }), _) => info!("last-used times are written again"),
            _ => {}
        }
        written
    }

    async fn write_uses(&mut self, start: Duration) -> Result<(), StoreError> {
        let uses = self.pending.batch.uses(self.duty_cycle.portion());
        if uses.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        self.meanwhile(store.record_uses(&uses)).await?;
        self.pending.batch.forget_uses(&uses);
        self.duty_cycle.took(uses.len(), self.clock.uptime().saturating_sub(start));
        Ok(())
    }

    async fn write_rehashes(&mut self) -> Result<(), StoreError> {
        let rehashes = self.pending.batch.rehashes(REHASHES);
        if rehashes.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        self.meanwhile(store.rehash(&rehashes)).await?;
        self.pending.batch.forget_rehashes(&rehashes);
        Ok(())
    }

    /// Receives while the store works, so that the queue does not fill up.
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
