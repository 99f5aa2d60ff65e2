//! The follower of the change log: what changed anywhere is known here soon after.

use std::{
    mem,
    sync::{Arc, PoisonError, atomic::Ordering::SeqCst},
    time::Duration,
};

use domain::{
    audit::{Hash, Head},
    changed::Changed,
    freshness::Point,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

use crate::{
    ports::{Store, StoreError, changes::Rewinds, store::Wakeups},
    telemetry::{Outage, Turn},
};

use super::{
    Cache,
    seen::{End, Seen, TOO_FAR},
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
        let mut ticks = interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.wakeups.next() => {}
                () = self.cache.behind.notified() => {}
                _ = ticks.tick() => {}
                () = sleep(AGAIN), if self.outage.is_lasting() => {}
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.follow() => {}
            }
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
    /// Makes every change known that the store has by now.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let _alone = self.looking.lock().await;
        let look = self.looks.fetch_add(1, SeqCst) + 1;
        if self.seen().is_contradicted() {
            self.start_over().await?;
        }
        if !self.read_on(look).await? {
            self.start_over().await?;
            if !self.read_on(look).await? {
                return Err(StoreError::Unavailable("the change log is never the same twice".into()));
            }
        }
        Ok(())
    }

    /// Reads to the end of the log; `false` when it does not go on from where it was followed to.
    async fn read_on(&self, look: u64) -> Result<bool, StoreError> {
        loop {
            let asked = self.uptime();
            let era = self.freshness.era();
            let (from, newest) = {
                let seen = self.seen();
                (seen.end().head.revision, seen.newest())
            };
            let steps = answer(PATIENCE, self.store.changes_after(from - 1, PORTION + 1)).await?;
            let whole = steps.len() as u64 <= PORTION;
            if self.seen().follow(&steps, whole, newest).is_err() {
                return Ok(false);
            }
            // Without the event that it ends with, only its head tells where it ends.
            let ends_well = self.seen().ends_well();
            if !ends_well && self.head().await?.revision < from {
                return Ok(false);
            }
            for step in &steps {
                self.freshness.made(step.revision, &Changed::by_name(&step.target));
            }
            self.move_to(Point::new(era, self.seen().end().head.revision));
            if whole {
                self.confirm(asked);
                self.looked.send_replace(look);
                return Ok(true);
            }
            let head = self.head().await?;
            if head.revision - from > TOO_FAR {
                self.freshness.made(head.revision, &Changed::Everything);
                if self.seen().skip_to(head).is_err() {
                    return Ok(false);
                }
                self.move_to(Point::new(era, head.revision));
            }
        }
    }

    async fn head(&self) -> Result<Head, StoreError> {
        answer(PATIENCE, self.store.head_for_verifications()).await
    }

    /// Takes the log for what it is now, and believes nothing that was known before.
    async fn start_over(&self) -> Result<(), StoreError> {
        // Whoever was first to find out has begun an era.
        if !self.seen().contradict() {
            self.freshness.begin_era();
        }
        let end = end_of_log(&*self.store, PATIENCE).await?;
        let before = {
            let mut seen = self.seen();
            // What was read since may be from before the end was, and is not followed from there.
            self.freshness.begin_era();
            mem::replace(&mut *seen, Seen::new(end)).newest_head()
        };
        self.kept.clear();
        // Before the position moves: whoever sees that it did knows why.
        {
            let mut rewinds = self.rewinds.lock().unwrap_or_else(PoisonError::into_inner);
            *rewinds = Rewinds { number: rewinds.number + 1, to: end.head.revision };
        }
        self.move_to(Point::new(self.freshness.era(), end.head.revision));
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
pub(super) async fn end_of_log(store: &dyn Store, patience: Duration) -> Result<End, StoreError> {
    let head = answer(patience, store.head_for_verifications()).await?;
    let last = answer(patience, store.changes_after(head.revision - 1, 1)).await?.pop();
    Ok(End { head, stored: last.filter(|step| step.revision == head.revision).map(|step| step.hash) })
}

/// What one query answers: a look may take many, and is well as long as each is answered in time.
async fn answer<T>(
    patience: Duration,
    query: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = timeout(patience, query).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".into())))
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
