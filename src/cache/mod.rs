//! Keys as they are now, kept at hand: a decorator over the store, never older than what changed.

mod follower;
mod front;
mod gathering;
mod kept;
mod loading;
mod reading;
mod seen;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    time::timeout,
};

use crate::ports::{
    CacheStore, Changes, Clock, Credentials, StoreError, changes::Rewinds, credentials::Known, load::Loaded,
};

use domain::{
    Revision,
    audit::Head,
    changed::Changed,
    freshness::{Freshness, Point, Stamp},
    id::KeyId,
    key::Key,
};
pub use follower::Follower;
use gathering::Gathering;
use kept::{Entry, Kept};
use loading::Loading;
use seen::{Fit, Seen};

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of keys to keep.
    pub capacity: u64,
    /// How long to keep one at the most, changed or not.
    pub time_to_live: Duration,
    /// How many ids to remember that are no key's.
    pub unknown: u64,
    /// How many queries for keys that are not at hand may be under way.
    pub reads: usize,
    /// How long an answer may come from the cache while the change log cannot be followed.
    pub max_staleness: Duration,
    /// Beyond that, and with the database gone, answer all the same.
    pub fail_open: bool,
}

/// How a key looks on the wire, which the cache keeps without knowing it.
pub type Render = fn(&Key) -> Vec<u8>;

pub struct Cache {
    store: Arc<dyn CacheStore>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// In microseconds.
    time_to_live: u64,
    render: Render,
    kept: Kept,
    loading: Loading<Entry>,
    gathering: Gathering<Loaded>,
    freshness: Freshness,
    seen: Mutex<Seen>,
    /// Held by the one look at the change log that is under way.
    looking: tokio::sync::Mutex<()>,
    /// How many looks were begun.
    looks: AtomicU64,
    /// How far the change log was followed, as a [`Point`].
    position: AtomicU64,
    /// Tells those who wait for it to move.
    moved: watch::Sender<Revision>,
    /// The number of the last look that came to the end of the log.
    looked: watch::Sender<u64>,
    rewinds: Mutex<Rewinds>,
    /// The uptime, in microseconds, at which that was known to be the newest.
    confirmed: AtomicU64,
    /// The database did not answer the follower's last question.
    down: AtomicBool,
    /// Wakes the follower.
    behind: Notify,
}

/// 256 KiB of slots: with a million keys, a change makes some thirty others be loaded anew.
const SLOTS: usize = 1 << 15;

/// How long the change log may go unconfirmed before answers say so.
const DEGRADED_AFTER: Duration = Duration::from_secs(2);

/// How long it may take to answer a query at the start, when nobody waits for it yet.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How long the database may take to tell what became of a change: a caller is waiting.
const DOUBT_FOR: Duration = Duration::from_secs(1);

impl Cache {
    /// Empty, and at the end of the change log.
    pub async fn new(
        store: Arc<dyn CacheStore>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        render: Render,
    ) -> Result<Self, StoreError> {
        let confirmed = micros(clock.uptime());
        let end = follower::end_of_log(&*store, START_WITHIN).await?;
        // Verifications run on the threads of the runtime, and on the one that waits for it to end.
        let threads = Handle::current().metrics().num_workers() + 1;
        let freshness = Freshness::new(SLOTS);
        let position = Point::new(freshness.era(), end.head.revision);
        Ok(Self {
            gathering: reading::gathering(store.clone(), limits.reads),
            store,
            clock,
            time_to_live: micros(limits.time_to_live),
            limits,
            render,
            kept: Kept::new(&limits, threads),
            loading: Loading::default(),
            freshness,
            seen: Mutex::new(Seen::new(end)),
            looking: tokio::sync::Mutex::default(),
            looks: AtomicU64::new(0),
            position: AtomicU64::new(position.bits()),
            moved: watch::Sender::new(end.head.revision),
            looked: watch::Sender::new(0),
            rewinds: Mutex::default(),
            confirmed: AtomicU64::new(confirmed),
            down: AtomicBool::new(false),
            behind: Notify::new(),
        })
    }

    /// What is remembered of `id`, if nothing that it was made of changed since, and it is not too old at
    /// this uptime.
    fn remembered(&self, id: KeyId, uptime: u64) -> Option<Entry> {
        // The time to live passes only while the change log is followed: in an outage the bound on staleness
        // decides by itself.
        let confirmed = self.confirmed.load(Relaxed);
        self.kept.get(id, |entry| {
            confirmed.saturating_sub(entry.loaded_at) <= self.time_to_live
                && self.age_at(entry, uptime) <= self.limits.max_staleness
                && self.is_current(entry)
        })
    }

    /// Whether nothing that `entry` was made of is known to have changed since.
    fn is_current(&self, entry: &Entry) -> bool {
        self.freshness.is_current(&entry.stamp)
    }

    fn known(entry: Entry, position: Point, age: Duration) -> Known {
        Known {
            candidate: entry.candidate,
            revision: Point::of(&entry.stamp).max(position).revision(),
            age,
            degraded: age > DEGRADED_AFTER,
            stamp: entry.stamp,
        }
    }

    fn point(&self) -> Point {
        Point::from_bits(self.position.load(SeqCst))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing that holds it can panic half way.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago `entry` was known to be as it would be read now.
    fn age(&self, entry: &Entry) -> Duration {
        self.age_at(entry, self.uptime())
    }

    fn age_at(&self, entry: &Entry, uptime: u64) -> Duration {
        let known = self.confirmed.load(Relaxed).max(entry.loaded_at);
        Duration::from_micros(uptime.saturating_sub(known))
    }

    /// In microseconds.
    fn uptime(&self) -> u64 {
        micros(self.clock.uptime())
    }

    /// Whether answers may come from what is at hand: the change log was followed lately enough, or that does not matter.
    pub fn may_answer(&self) -> bool {
        let unconfirmed = self.uptime().saturating_sub(self.confirmed.load(Relaxed));
        self.limits.fail_open || Duration::from_micros(unconfirmed) <= self.limits.max_staleness
    }

    /// All that had changed at the uptime `asked` is known.
    fn confirm(&self, asked: u64) {
        self.confirmed.fetch_max(asked, Relaxed);
    }

    fn move_to(&self, point: Point) {
        self.position.fetch_max(point.bits(), SeqCst);
        self.moved.send_if_modified(|revision| std::mem::replace(revision, point.revision()) != *revision);
    }
}

impl Credentials for Cache {
    fn at_hand(&self, id: KeyId, uptime: Duration) -> Option<Known> {
        // Read before the entry is checked, so that all up to it is in the entry.
        let position = self.point();
        let uptime = micros(uptime);
        let entry = self.remembered(id, uptime)?;
        let age = self.age_at(&entry, uptime);
        Some(Self::known(entry, position, age))
    }

    async fn candidate(&self, id: KeyId) -> Result<Known, StoreError> {
        let position = self.point();
        let entry = match self.load(id).await {
            // It was still current after the position was read, or is from after what was known by then.
            Ok(entry) => entry,
            // Its time to live may be over: in an outage, the bound on staleness alone decides.
            Err(StoreError::Unavailable(why)) if self.may_answer() => {
                self.kept.get(id, |entry| self.is_current(entry)).ok_or(StoreError::Unavailable(why))?
            }
            Err(error) => return Err(error),
        };
        let age = self.age(&entry);
        Ok(Self::known(entry, position, age))
    }

    fn is_current(&self, stamp: &Stamp, uptime: Duration) -> bool {
        let confirmed = self.confirmed.load(Relaxed);
        let age = Duration::from_micros(micros(uptime).saturating_sub(confirmed));
        age <= self.limits.max_staleness && self.freshness.is_current(stamp)
    }

    async fn reach(&self, revision: Revision, patience: Duration) -> Result<(), Revision> {
        let (mut moved, mut looked) = (self.moved.subscribe(), self.looked.subscribe());
        if *moved.borrow() >= revision {
            return Ok(());
        }
        // A look that begins from here on shows every revision that the caller can know of.
        let begun = self.looks.load(SeqCst);
        self.behind.notify_one();
        // Who gives up waiting and who has waited in vain are answered alike.
        let _ = timeout(patience, async {
            tokio::select! {
                _ = moved.wait_for(|position| *position >= revision) => {}
                _ = looked.wait_for(|look| *look > begun) => {}
            }
        })
        .await;
        let position = self.position();
        if position >= revision { Ok(()) } else { Err(position) }
    }
}

#[async_trait]
impl Changes for Cache {
    fn made(&self, head: Head, target: &str) {
        // A revision that was given before to another change proves that the log went backwards; of one that
        // nothing is known of any more, it cannot be told.
        if self.seen().note(head) != Fit::Fits {
            self.freshness.begin_era();
        }
        self.freshness.made(head.revision, &Changed::by_name(target));
        self.behind.notify_one();
    }

    /// If the change is in the log by now, the head covers it. If it comes later, the follower finds it, as it finds the
    /// changes of other nodes; and while the database does not answer, the bound on staleness holds for it as for those.
    async fn doubtful(&self, targets: &[String]) {
        self.behind.notify_one();
        if let Ok(Ok(head)) = timeout(DOUBT_FOR, self.store.head_for_verifications()).await {
            for target in targets {
                self.made(head, target);
            }
        }
    }

    fn position(&self) -> Revision {
        self.point().revision()
    }

    async fn beyond(&self, revision: Revision) {
        // The sender is ours, so it is there as long as we are.
        let _ = self.moved.subscribe().wait_for(|position| *position > revision).await;
    }

    fn rewinds(&self) -> Rewinds {
        *self.rewinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
