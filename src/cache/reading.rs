//! Reading keys that are not at hand, so that what comes back is never older than it may be.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use domain::{
    audit::Head,
    candidate::Candidate,
    changed::Changed,
    freshness::{Era, Point},
    id::KeyId,
    name::ServiceAccountName,
};

use crate::ports::{
    CacheStore, StoreError,
    load::{LOADED_TOGETHER, Loaded, LoadedKey},
};

use super::{
    Cache,
    gathering::{Gathering, Pace},
    kept::Entry,
    seen::Fit,
};

/// One may have been under way too long, and one more may be, when its waiters outlived it.
const LOADS: u32 = 3;

/// When a query was asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    era: Era,
    /// In microseconds.
    uptime: u64,
}

impl Cache {
    /// Loads the keys that were used last, up to `most`, before anybody asks.
    pub async fn warm(&self, most: u64) -> Result<usize, StoreError> {
        let ids = self.store.lately_used(most).await?;
        for portion in ids.chunks(LOADED_TOGETHER) {
            let asked = self.asked();
            let loaded = self.store.load(portion).await?;
            for id in portion {
                self.keep(*id, loaded.key(*id)?, loaded.head, asked);
            }
        }
        Ok(ids.len())
    }

    /// Reads `id` from the store, together with whoever else asks for it now.
    pub(super) async fn load(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Whatever was made known by now must be in the answer, even when another asked for it before.
        let floor = self.freshness.newest();
        for _ in 0..LOADS {
            let entry = self.loading.join(id, || self.read(id)).await?;
            if Point::of(&entry.stamp) >= floor || self.is_current(&entry) {
                return Ok(entry);
            }
        }
        // As it is when the log went backwards, which the follower is to find out.
        self.behind.notify_one();
        Err(StoreError::Unavailable("it is behind its own change log".into()))
    }

    async fn read(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Another's read may have ended since it was looked for.
        if let Some(entry) = self.remembered(id, self.uptime()) {
            return Ok(entry);
        }
        if self.down.load(Relaxed) {
            return Err(gone());
        }
        let asked = self.asked();
        let loaded = self.gathering.load(id).await?;
        Ok(self.keep(id, loaded.key(id)?, loaded.head, asked))
    }

    fn asked(&self) -> Asked {
        Asked { era: self.freshness.era(), uptime: self.uptime() }
    }

    /// Remembers what a query has brought of `id`, when the log ended with `head`.
    fn keep(&self, id: KeyId, key: Option<&LoadedKey>, head: Head, asked: Asked) -> Entry {
        self.note(head, asked.era);
        let owners = key.map(owners);
        let candidate =
            key.and_then(|it| Candidate::new(&it.key, it.owner_disabled, &(self.render)(&it.key)));
        let point = Point::new(asked.era, head.revision);
        let entry = Entry {
            stamp: self.freshness.stamp(point, &Changed::Key(id), owners.as_ref().map_or(&[], |it| it)),
            candidate: candidate.map(Arc::new),
            loaded_at: asked.uptime,
        };
        self.kept.put(id, entry.clone());
        entry
    }

    /// Takes note of the head that a query found, which may be ahead of the follower.
    fn note(&self, head: Head, era: Era) {
        let mut seen = self.seen();
        if era == self.freshness.era() && seen.note(head) == Fit::Contradicts {
            self.freshness.begin_era();
            self.behind.notify_one();
        }
    }

    /// Notes whether the database answers; when it does not, nobody waits for it.
    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Relaxed);
        if down {
            self.gathering.refuse(&gone());
        }
    }
}

/// At most `places` queries at a time to `store`.
pub(super) fn gathering(store: Arc<dyn CacheStore>, places: usize) -> Gathering<Loaded> {
    let found = |loaded: &Loaded| !loaded.keys.is_empty();
    Gathering::new(Pace::new(places), found, move |ids| {
        let store = store.clone();
        async move { store.load(&ids).await }
    })
}

fn gone() -> StoreError {
    StoreError::Unavailable("it did not answer a moment ago".into())
}

fn owners(loaded: &LoadedKey) -> [Changed; 2] {
    let project = loaded.key.project.clone();
    let service_account = loaded.key.service_account.clone();
    let account = ServiceAccountName { project: project.clone(), service_account };
    [Changed::ServiceAccount(account), Changed::Project(project)]
}
