//! Reading keys that are not at hand, so that what comes back is never older than it may be.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use crate::{
    domain::{Revision, candidate::Candidate, changed::Changed, id::KeyId, name::ServiceAccountName},
    ports::{
        Store, StoreError,
        store::{LOADED_TOGETHER, Loaded, LoadedKey},
    },
};

use super::{
    Cache,
    gathering::{Gathering, Pace},
    kept::Entry,
};

/// One may have been under way too long, and one more may be, when its waiters outlived it.
const LOADS: u32 = 3;

impl Cache {
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

    /// Reads `id` from the store, together with whoever else asks for it now.
    pub(super) async fn load(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Whatever was made known by now must be in the answer, even when another asked for it before.
        let floor = self.freshness.newest();
        for _ in 0..LOADS {
            let entry = self.loading.join(id, || self.read(id)).await?;
            if entry.revision >= floor || self.is_current(&entry) {
                return Ok(entry);
            }
        }
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
        let loaded_at = self.uptime();
        let loaded = self.gathering.load(id).await?;
        Ok(self.keep(id, loaded.key(id)?, loaded.revision, loaded_at))
    }

    /// Remembers what a query that was asked at the uptime `loaded_at` has brought of `id`.
    fn keep(&self, id: KeyId, key: Option<&LoadedKey>, revision: Revision, loaded_at: u64) -> Entry {
        let owners = key.map(owners);
        let candidate =
            key.and_then(|it| Candidate::new(&it.key, it.owner_disabled, &(self.render)(&it.key)));
        let entry = Entry {
            places: self.freshness.places(&Changed::Key(id), owners.as_ref().map_or(&[], |it| it)),
            candidate: candidate.map(Arc::new),
            revision,
            loaded_at,
        };
        self.kept.put(id, entry.clone());
        entry
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
pub(super) fn gathering(store: Arc<dyn Store>, places: usize) -> Gathering<Loaded> {
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
