//! Keys as they are now, kept at hand: a decorator over the store, never older than what changed.

mod follower;
mod freshness;
mod kept;
mod loading;
mod sync;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicI64, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    domain::{
        Revision, candidate::Candidate, changed::Changed, id::KeyId, key::Key, name::ServiceAccountName,
    },
    ports::{
        Changes, Clock, Credentials, Store, StoreError,
        credentials::Known,
        store::{LOADED_TOGETHER, LoadedKey},
    },
};

pub use follower::Follower;
use freshness::Freshness;
use kept::{Entry, Kept};
use loading::Loading;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of keys to keep.
    pub capacity: u64,
    /// How long to keep one at the most, changed or not.
    pub time_to_live: Duration,
    /// How many ids to remember that are no key's.
    pub unknown: u64,
    /// How long an answer may come from the cache while the change log cannot be followed.
    pub max_staleness: Duration,
    /// Beyond that, and with the database gone, answer all the same.
    pub fail_open: bool,
}

/// How a key looks on the wire, which the cache keeps without knowing it.
pub type Render = fn(&Key) -> Box<[u8]>;

pub struct Cache {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    render: Render,
    kept: Kept,
    loading: Loading<Entry>,
    freshness: Freshness,
    /// How far the change log was followed.
    position: AtomicI64,
    /// Tells those who wait for it to move.
    moved: watch::Sender<Revision>,
    /// The uptime, in microseconds, at which that was known to be the newest.
    confirmed: AtomicU64,
    /// The database did not answer the follower's last question.
    down: AtomicBool,
    /// Wakes the follower.
    behind: Notify,
}

/// 256 KiB of slots: with a million keys, a change makes some thirty others be loaded anew.
const SLOTS: usize = 1 << 15;

/// One may have been under way too long, and one more may be, when its waiters outlived it.
const LOADS: u32 = 3;

/// How long the change log may go unconfirmed before answers say so.
const DEGRADED_AFTER: Duration = Duration::from_secs(2);

impl Cache {
    /// Empty, and at the end of the change log.
    pub async fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        render: Render,
    ) -> Result<Self, StoreError> {
        let confirmed = micros(clock.uptime());
        let head = store.head().await?.revision;
        Ok(Self {
            store,
            clock,
            limits,
            render,
            kept: Kept::new(&limits),
            loading: Loading::default(),
            freshness: Freshness::new(SLOTS),
            position: AtomicI64::new(head),
            moved: watch::Sender::new(head),
            confirmed: AtomicU64::new(confirmed),
            down: AtomicBool::new(false),
            behind: Notify::new(),
        })
    }

    /// Loads the keys that were used last, up to `most`, before anybody asks.
    pub async fn warm(&self, most: u64) -> Result<usize, StoreError> {
        let ids = self.store.lately_used(most).await?;
        for portion in ids.chunks(LOADED_TOGETHER) {
            let loaded_at = self.uptime();
            let loaded = self.store.load(portion).await?;
            for id in portion {
                self.keep(*id, loaded.key(*id)?, loaded.revision, loaded_at);
            }
        }
        Ok(ids.len())
    }

    /// What is remembered of `id`, if nothing that it was made of changed since.
    fn remembered(&self, id: KeyId) -> Option<Entry> {
        let current = |entry: &Entry| self.freshness.is_current(&entry.places, entry.revision);
        self.kept.get(id, current)
    }

    /// Reads `id` from the store, together with whoever else asks for it now.
    async fn load(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Whatever was made known by now must be in the answer, even when another asked for it before.
        let floor = self.freshness.newest();
        for _ in 0..LOADS {
            let entry = self.loading.join(id, || self.read(id)).await?;
            if entry.revision >= floor || self.freshness.is_current(&entry.places, entry.revision) {
                return Ok(entry);
            }
        }
        Err(StoreError::Unavailable("it is behind its own change log".into()))
    }

    async fn read(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Another's read may have ended since it was looked for.
        if let Some(entry) = self.remembered(id)
            && self.age(&entry) <= self.limits.max_staleness
        {
            return Ok(entry);
        }
        if self.down.load(Relaxed) {
            return Err(StoreError::Unavailable("it did not answer a moment ago".into()));
        }
        let loaded_at = self.uptime();
        let loaded = self.store.load(&[id]).await?;
        Ok(self.keep(id, loaded.key(id)?, loaded.revision, loaded_at))
    }

    /// Remembers what a query that was asked at the uptime `loaded_at` has brought of `id`.
    fn keep(&self, id: KeyId, key: Option<&LoadedKey>, revision: Revision, loaded_at: u64) -> Entry {
        let owners = key.map(owners);
        let candidate =
            key.and_then(|it| Candidate::new(&it.key, it.owner_disabled, (self.render)(&it.key)));
        let entry = Entry {
            places: self.freshness.places(&Changed::Key(id), owners.as_ref().map_or(&[], |it| it)),
            candidate: candidate.map(Arc::new),
            revision,
            loaded_at,
        };
        self.kept.put(id, entry.clone());
        entry
    }

    fn known(&self, entry: &Entry, position: Revision, age: Duration) -> Known {
        Known {
            candidate: entry.candidate.clone(),
            revision: entry.revision.max(position),
            age,
            degraded: age > DEGRADED_AFTER,
        }
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

    /// All that had changed at the uptime `asked` is known.
    fn confirm(&self, asked: u64) {
        self.confirmed.fetch_max(asked, Relaxed);
    }

    fn move_to(&self, revision: Revision) {
        self.position.fetch_max(revision, SeqCst);
        self.moved.send_replace(revision);
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Relaxed);
    }
}

impl Credentials for Cache {
    fn at_hand(&self, id: KeyId, uptime: Duration) -> Option<Known> {
        // Read before the entry is checked, so that all up to it is in the entry.
        let position = self.position();
        let entry = self.remembered(id)?;
        let age = self.age_at(&entry, micros(uptime));
        (age <= self.limits.max_staleness).then(|| self.known(&entry, position, age))
    }

    async fn candidate(&self, id: KeyId) -> Result<Known, StoreError> {
        if let Some(known) = self.at_hand(id, self.clock.uptime()) {
            return Ok(known);
        }
        let position = self.position();
        match self.load(id).await {
            // It was still current after the position was read, or is from after what was known by then.
            Ok(entry) => Ok(self.known(&entry, position, self.age(&entry))),
            Err(StoreError::Unavailable(why)) if self.limits.fail_open => {
                let entry = self.remembered(id).ok_or(StoreError::Unavailable(why))?;
                Ok(self.known(&entry, position, self.age(&entry)))
            }
            Err(error) => Err(error),
        }
    }

    fn newest_change(&self, uptime: Duration) -> Option<Revision> {
        let confirmed = self.confirmed.load(Relaxed);
        let age = Duration::from_micros(micros(uptime).saturating_sub(confirmed));
        (age <= self.limits.max_staleness).then(|| self.freshness.newest())
    }

    async fn reach(&self, revision: Revision, patience: Duration) -> Result<(), Revision> {
        let mut positions = self.moved.subscribe();
        if *positions.borrow() >= revision {
            return Ok(());
        }
        self.behind.notify_one();
        let reached = timeout(patience, positions.wait_for(|position| *position >= revision)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.position()),
        }
    }
}

#[async_trait]
impl Changes for Cache {
    fn made(&self, revision: Revision, target: &str) {
        self.freshness.made(revision, &Changed::by_name(target));
        self.behind.notify_one();
    }

    fn position(&self) -> Revision {
        self.position.load(SeqCst)
    }

    async fn beyond(&self, revision: Revision) {
        // The sender is ours, so it is there as long as we are.
        let _ = self.moved.subscribe().wait_for(|position| *position > revision).await;
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn owners(loaded: &LoadedKey) -> [Changed; 2] {
    let project = loaded.key.project.clone();
    let service_account = loaded.key.service_account.clone();
    let account = ServiceAccountName { project: project.clone(), service_account };
    [Changed::ServiceAccount(account), Changed::Project(project)]
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
