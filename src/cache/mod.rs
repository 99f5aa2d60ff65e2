//! Keys in memory, as they are now: a decorator over the store that never answers from before a known change.

mod access;
mod changes;
mod entries;
mod entry;
mod follower;
mod history;
mod interner;
mod position;
mod read_batcher;
mod reading;
mod role_reads;
mod single_flight;
mod thread_cache;
mod together;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};

use crate::ports::{
    CacheStore, Clock, Credentials, Random, StoreError,
    changes::Rewinds,
    credentials::{KeyEncoder, Snapshot},
    load::Loaded,
};

use access::{RoleEntry, Roles};
use domain::{
    Revision,
    freshness::{Freshness, Point, Stamp},
    id::{KeyId, ProjectId, RoleId},
    policy::{Granted, Profile},
    shared_access::{CurrentAccess, KeyAccess},
};
use entries::Entries;
use entry::Entry;
pub use follower::Follower;
use history::LogHistory;
use interner::Interner;
use position::Position;
use read_batcher::ReadBatcher;
use reading::LOADS;
use role_reads::RoleReads;
use single_flight::SingleFlight;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of keys to keep.
    pub capacity: u64,
    /// How long to keep one at the most, changed or not.
    pub time_to_live: Duration,
    /// How many ids to remember that no key has.
    pub unknown: u64,
    /// How many queries for keys that are not cached may be under way.
    pub reads: usize,
    /// How long an answer may come from the cache while the change log cannot be followed.
    pub max_staleness: Duration,
    /// Beyond that, and with the database gone, answer all the same.
    pub fail_open: bool,
}

pub struct Cache {
    store: Arc<dyn CacheStore>,
    clock: Arc<dyn Clock>,
    encoder: Arc<dyn KeyEncoder>,
    limits: Limits,
    /// In microseconds.
    time_to_live: u64,
    entries: Entries,
    profiles: Interner<Profile>,
    roles: Roles,
    in_flight: SingleFlight<KeyId, Entry>,
    accesses_in_flight: SingleFlight<Granted, Arc<KeyAccess>>,
    /// The poll that reads wait for.
    poll_in_flight: SingleFlight<(), ()>,
    roles_in_flight: SingleFlight<(ProjectId, Box<[RoleId]>), Vec<RoleEntry>>,
    batcher: ReadBatcher<Loaded>,
    role_reads: RoleReads,
    freshness: Freshness,
    position: Position,
    history: Mutex<LogHistory>,
    rewinds: Mutex<Rewinds>,
    /// Held by the one poll of the change log that is under way.
    polling: tokio::sync::Mutex<()>,
    /// Wakes the follower.
    poll_requested: Notify,
    /// The database did not answer the follower's last question.
    down: watch::Sender<bool>,
}

/// 256 KiB of slots: with a million keys, a change causes some thirty others to be read again.
const SLOTS: usize = 1 << 15;

/// How long the change log may go unconfirmed before answers say so.
const DEGRADED_AFTER: Duration = Duration::from_secs(2);

/// How long a query may take at the start, when no caller waits for it yet.
const START_WITHIN: Duration = Duration::from_secs(30);

impl Cache {
    /// Empty, and at the end of the change log.
    pub async fn new(
        store: Arc<dyn CacheStore>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        limits: Limits,
        encoder: Arc<dyn KeyEncoder>,
    ) -> Result<Self, StoreError> {
        let confirmed = micros(clock.uptime());
        let end = follower::end_of_log(&*store, START_WITHIN).await?;
        // Verifications run on the threads of the runtime, and on the one that waits for it to end.
        let threads = Handle::current().metrics().num_workers() + 1;
        let freshness = Freshness::new(SLOTS, u64::from_ne_bytes(random.bytes()));
        let point = Point::new(freshness.era(), end.head.revision);
        let batcher = reading::batcher(store.clone(), limits.reads);
        Ok(Self {
            role_reads: RoleReads::new(store.clone(), batcher.queries()),
            batcher,
            store,
            clock,
            encoder,
            limits,
            time_to_live: micros(limits.time_to_live),
            entries: Entries::new(&limits, threads),
            profiles: Interner::default(),
            roles: Roles::new(&limits),
            in_flight: SingleFlight::default(),
            accesses_in_flight: SingleFlight::default(),
            roles_in_flight: SingleFlight::default(),
            poll_in_flight: SingleFlight::default(),
            freshness,
            position: Position::new(point, confirmed),
            history: Mutex::new(LogHistory::new(end)),
            rewinds: Mutex::default(),
            polling: tokio::sync::Mutex::default(),
            poll_requested: Notify::new(),
            down: watch::Sender::new(false),
        })
    }

    /// What may be used at this uptime.
    fn check(&self, uptime: u64) -> Check<'_> {
        // Before any value is checked: a change that comes between is in a later confirmation, but not in the value.
        Check { cache: self, confirmed: self.position.confirmed(), uptime }
    }

    /// Whether nothing that `entry` depends on is known to have changed since it was read.
    fn is_current(&self, entry: &Entry) -> bool {
        self.freshness.is_current(&entry.stamp)
    }

    /// What `entry` and `access` say together; both are current at `position`, or newer.
    fn snapshot(entry: Entry, access: CurrentAccess, position: Point, age: Duration) -> Snapshot {
        let point = entry.stamp.point();
        // Beyond the position, only what both include.
        let point = together::dependent(&access).map_or(point, |access| point.min(access.stamp.point()));
        Snapshot {
            key: entry.key,
            access,
            revision: point.max(position).revision(),
            age,
            degraded: age > DEGRADED_AFTER,
            stamp: entry.stamp,
        }
    }

    fn history(&self) -> MutexGuard<'_, LogHistory> {
        // Nothing that holds it can panic half way.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In microseconds.
    fn uptime(&self) -> u64 {
        micros(self.clock.uptime())
    }

    /// Whether cached keys may decide: the change log was followed lately enough, or the settings say that they may
    /// all the same.
    pub fn may_answer(&self) -> bool {
        let unconfirmed = self.uptime().saturating_sub(self.position.confirmed());
        self.limits.fail_open || Duration::from_micros(unconfirmed) <= self.limits.max_staleness
    }
}

impl Credentials for Cache {
    fn cached(&self, id: KeyId, uptime: Duration) -> Option<Snapshot> {
        // Before the entry is checked, so that all changes up to it are in the entry.
        let position = self.position.point();
        let check = self.check(micros(uptime));
        let entry = self.entries.get(id, |entry| check.passes(entry.loaded_at, &entry.stamp))?;
        let access = match entry.profile() {
            Some(profile) => check.usable_access(profile)?,
            None => CurrentAccess::NONE,
        };
        if !together::were_true(&entry, &access, position) {
            return None;
        }
        let age = check.age(together::loaded_at(&entry, &access));
        Some(Self::snapshot(entry, access, position, age))
    }

    async fn read(&self, id: KeyId) -> Result<Snapshot, StoreError> {
        for _ in 0..LOADS {
            let position = self.position.point();
            let entry = match self.load(id).await {
                // It was still current after the position was read, or is from after what was known by then.
                Ok(entry) => entry,
                // Its time to live may be over: in an outage only the bound on staleness counts.
                Err(StoreError::Unavailable(why)) if self.may_answer() => self
                    .entries
                    .get(id, |entry| self.is_current(entry))
                    .ok_or(StoreError::Unavailable(why))?,
                Err(error) => return Err(error),
            };
            let access = match entry.profile() {
                Some(profile) => self.read_access(id, &entry, profile).await?,
                None => CurrentAccess::NONE,
            };
            if let Some(snapshot) = self.put_together(entry, access, position).await? {
                return Ok(snapshot);
            }
        }
        Err(self.behind())
    }

    fn is_unchanged(&self, stamp: &Stamp) -> bool {
        self.freshness.is_current(stamp)
    }

    fn is_current(&self, stamp: &Stamp, uptime: Duration) -> bool {
        let age = Duration::from_micros(micros(uptime).saturating_sub(self.position.confirmed()));
        age <= self.limits.max_staleness && self.freshness.is_current(stamp)
    }

    async fn reach(&self, revision: Revision, patience: Duration) -> Result<(), Revision> {
        self.position.reach(revision, patience, || self.poll_requested.notify_one()).await
    }
}

/// Which cached values may be used at one time.
#[derive(Clone, Copy)]
struct Check<'a> {
    cache: &'a Cache,
    /// The uptime, in microseconds, up to which all changes are known.
    confirmed: u64,
    /// Now, in microseconds.
    uptime: u64,
}

impl Check<'_> {
    /// Whether a value that was read at `loaded_at` and has this stamp is current and not too old.
    fn passes(self, loaded_at: u64, stamp: &Stamp) -> bool {
        // The time to live passes only while the change log is followed: in an outage only the bound on staleness
        // counts.
        self.confirmed.saturating_sub(loaded_at) <= self.cache.time_to_live
            && self.age(loaded_at) <= self.cache.limits.max_staleness
            && self.cache.freshness.is_current(stamp)
    }

    /// What the keys of `profile` may do; `None` if that must be read first.
    fn usable_access(self, profile: &Profile) -> Option<CurrentAccess> {
        let access = profile.current_access();
        let usable = match access.get() {
            Some(known) => self.passes(known.loaded_at, &known.stamp),
            None => profile.granted.is_none(),
        };
        usable.then_some(access)
    }

    /// The age of a current value that was read at `loaded_at`.
    fn age(self, loaded_at: u64) -> Duration {
        age(loaded_at.max(self.confirmed), self.uptime)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How long ago `known` was, both in microseconds of uptime.
fn age(known: u64, uptime: u64) -> Duration {
    Duration::from_micros(uptime.saturating_sub(known))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
