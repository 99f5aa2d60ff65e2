//! The follower of the change log: what changed anywhere is known here soon after.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use crate::{
    domain::changed::Changed,
    ports::{StoreError, store::Wakeups},
};

use super::Cache;

#[derive(Debug)]
pub struct Follower {
    cache: Arc<Cache>,
    wakeups: Box<dyn Wakeups>,
    /// How long a lost wake-up can go unnoticed.
    poll: Duration,
    failing: bool,
}

/// How many changes one query brings.
const PORTION: u64 = 1000;
/// How far behind it is cheaper to forget everything than to read what changed.
const TOO_FAR: i64 = 10_000;
/// When a query has taken so long, the database does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// When it does not, how soon to ask again, however rarely it is asked otherwise.
const AGAIN: Duration = Duration::from_millis(500);

impl Follower {
    pub fn new(cache: Arc<Cache>, wakeups: Box<dyn Wakeups>, poll: Duration) -> Self {
        Self { cache, wakeups, poll, failing: false }
    }

    /// Follows until `stop` resolves.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.wakeups.next() => {}
                () = self.cache.behind.notified() => {}
                _ = ticks.tick() => {}
                () = sleep(AGAIN), if self.failing => {}
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.follow() => {}
            }
        }
    }

    async fn follow(&mut self) {
        let followed = timeout(PATIENCE, self.cache.catch_up()).await;
        let followed = followed.unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".into())));
        match &followed {
            Err(error) if !self.failing => {
                warn!(error = %error, "the change log cannot be followed");
            }
            Ok(()) if self.failing => info!("the change log is followed again"),
            _ => {}
        }
        self.failing = followed.is_err();
        self.cache.set_down(self.failing);
    }
}

impl Cache {
    /// Makes every change known that the store has by now.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let position = self.position.load(SeqCst);
            let asked = self.uptime();
            let steps = self.store.changes_after(position, PORTION).await?;
            let Some(last) = steps.last().map(|step| step.revision) else {
                self.confirm(asked);
                return Ok(());
            };
            if steps.len() as u64 == PORTION {
                let head = self.store.head().await?.revision;
                if head - position > TOO_FAR {
                    self.freshness.made(head, &Changed::Everything);
                    self.move_to(head);
                    continue;
                }
            }
            for step in &steps {
                self.freshness.made(step.revision, &Changed::by_name(&step.target));
            }
            self.move_to(last);
        }
    }
}
