//! The follower of the change log: changes that other nodes make are known here soon after.

use std::{
    mem,
    sync::{Arc, PoisonError},
    time::Duration,
};

use domain::{
    audit::{Hash, Head},
    changed::Changed,
    freshness::Point,
};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::{
    ports::{Feed, StoreError, changes::Rewinds, feed::Wakeups},
    schedule::Schedule,
    telemetry::{Outage, Turn},
};

use super::{
    Cache,
    history::{End, LogHistory, TOO_FAR},
    position::Poll,
};

#[derive(Debug)]
pub struct Follower {
    cache: Arc<Cache>,
    wakeups: Box<dyn Wakeups>,
    /// How long a lost wake-up can go unnoticed.
    poll: Duration,
    outage: Outage,
}

/// How many changes one query brings.
const PORTION: u64 = 1000;
/// When a query has taken so long, the database does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// When it does not, how soon to ask again, however rarely it is asked otherwise.
const AGAIN: Duration = Duration::from_millis(500);

impl Follower {
    pub fn new(cache: Arc<Cache>, wakeups: Box<dyn Wakeups>, poll: Duration) -> Self {
        Self { cache, wakeups, poll, outage: Outage::default() }
    }

    /// Follows until `stop` resolves.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut schedule = Schedule::every(self.poll);
        while schedule.next_or(self.early(), &mut stop).await {
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.follow() => {}
            }
        }
    }

    /// Resolves when the log is to be polled before the next poll is due.
    async fn early(&mut self) {
        tokio::select! {
            biased;
            () = self.wakeups.next() => {}
            () = self.cache.poll_requested.notified() => {}
            () = sleep(AGAIN), if self.outage.is_lasting() => {}
        }
    }

    async fn follow(&mut self) {
        let followed = self.cache.catch_up().await;
        match (self.outage.note(followed.is_err()), &followed) {
            (Some(Turn::Began { .. }), Err(error)) => {
                warn!(error = %error, "the change log cannot be followed");
            }
            (Some(Turn::Ended { .. }), _) => info!("the change log is followed again"),
            _ => {}
        }
        self.cache.set_down(self.outage.is_lasting());
    }
}

impl Cache {
    /// Polls the log: makes every change known that the store has by now.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let _only = self.polling.lock().await;
        let poll = self.position.begin_poll();
        if self.history().is_contradicted() {
            self.start_over().await?;
        }
        if !self.read_on(poll).await? {
            self.start_over().await?;
            if !self.read_on(poll).await? {
                return Err(StoreError::Unavailable("the change log is never the same twice".into()));
            }
        }
        Ok(())
    }

    /// Reads to the end of the log; `false` when it does not go on from where it was followed to.
    async fn read_on(&self, poll: Poll) -> Result<bool, StoreError> {
        loop {
            let asked = self.uptime();
            let era = self.freshness.era();
            let (from, newest) = {
                let history = self.history();
                (history.end().head.revision, history.newest())
            };
            let steps = answer(PATIENCE, self.store.changes_after(from - 1, PORTION + 1)).await?;
            let whole = steps.len() as u64 <= PORTION;
            if self.history().follow(&steps, whole, newest).is_err() {
                return Ok(false);
            }
            // Without its last event, only its head says where the log ends.
            let ends_well = self.history().ends_well();
            if !ends_well && self.head().await?.revision < from {
                return Ok(false);
            }
            for step in &steps {
                self.freshness.made(step.revision, &Changed::by_name(&step.target));
            }
            self.position.move_to(Point::new(era, self.history().end().head.revision));
            if whole {
                self.position.finish_poll(poll, asked);
                return Ok(true);
            }
            let head = self.head().await?;
            if head.revision - from > TOO_FAR {
                self.freshness.made(head.revision, &Changed::Everything);
                if self.history().skip_to(head).is_err() {
                    return Ok(false);
                }
                self.position.move_to(Point::new(era, head.revision));
            }
        }
    }

    async fn head(&self) -> Result<Head, StoreError> {
        answer(PATIENCE, self.store.head_for_verifications()).await
    }

    /// Starts over from the log as it is now; nothing that was known before is current.
    async fn start_over(&self) -> Result<(), StoreError> {
        // The first to find out has begun an era.
        if !self.history().contradict() {
            self.freshness.begin_era();
        }
        let end = end_of_log(&*self.store, PATIENCE).await?;
        let before = {
            let mut history = self.history();
            // What was read since may be from before the end was, and is not followed from there.
            self.freshness.begin_era();
            mem::replace(&mut *history, LogHistory::new(end)).newest_head()
        };
        self.entries.clear();
        self.roles.clear();
        // Before the position moves, so that a watcher that sees it move also sees why.
        {
            let mut rewinds = self.rewinds.lock().unwrap_or_else(PoisonError::into_inner);
            *rewinds = Rewinds { number: rewinds.number + 1, to: end.head.revision };
        }
        self.position.move_to(Point::new(self.freshness.era(), end.head.revision));
        error!(
            change_log.seen = before.revision,
            change_log.seen.hash = hex(&before.hash),
            change_log.head = end.head.revision,
            change_log.head.hash = hex(&end.head.hash),
            "the change log went backwards or was replaced: the database lost changes that this node has seen; \
             the cache starts over from what the database has now"
        );
        Ok(())
    }
}

/// Where the log ends, with what is stored there; each query may take so long.
pub(super) async fn end_of_log(store: &dyn Feed, patience: Duration) -> Result<End, StoreError> {
    let head = answer(patience, store.head_for_verifications()).await?;
    let last = answer(patience, store.changes_after(head.revision - 1, 1)).await?.pop();
    Ok(End { head, stored: last.filter(|step| step.revision == head.revision).map(|step| step.hash) })
}

/// What one query answers. A poll may take many; it is well as long as each is answered in time.
async fn answer<T>(
    patience: Duration,
    query: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = timeout(patience, query).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable("the database takes too long".into())))
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
