//! Reads of keys that are not cached, whose results are never older than they may be.

use std::sync::Arc;

use domain::{
    audit::Head,
    changed::Changed,
    credential::Credential,
    freshness::{Era, Point},
    id::KeyId,
    name::ServiceAccountName,
};

use crate::ports::{
    CacheStore, StoreError,
    credentials::CachedKey,
    load::{LOADED_TOGETHER, Loaded, LoadedKey},
};

use super::{
    Cache,
    entry::Entry,
    history::Fit,
    read_batcher::{ReadBatcher, Throttle},
};

/// One read may have begun too early, and the next one too, if it was joined by those that outlived the first.
pub(super) const LOADS: u32 = 3;

/// When a query was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) era: Era,
    /// In microseconds.
    pub(super) uptime: u64,
}

impl Cache {
    /// Loads the keys that were used last, up to `most`, and what they may do, before they are verified.
    pub async fn warm(&self, most: u64) -> Result<usize, StoreError> {
        let ids = self.store.lately_used(most).await?;
        for portion in ids.chunks(LOADED_TOGETHER) {
            let asked = self.asked();
            let loaded = self.store.load(portion).await?;
            for id in portion {
                let entry = self.keep(*id, loaded.key(*id)?, loaded.head, asked);
                if let Some(key) = &entry.key {
                    self.read_access(*id, &entry, key.credential.policy.profile()).await?;
                }
            }
        }
        Ok(ids.len())
    }

    /// Reads `id` from the store; all that miss it at the same time share the read.
    pub(super) async fn load(&self, id: KeyId) -> Result<Entry, StoreError> {
        // All changes made known by now must be in the answer, even when the read began before.
        let floor = self.freshness.newest();
        for _ in 0..LOADS {
            let entry = self.in_flight.join(id, || self.load_once(id)).await?;
            if entry.stamp.point() >= floor || self.is_current(&entry) {
                return Ok(entry);
            }
        }
        Err(self.behind())
    }

    /// The error when reads keep being older than changes that are known here. This happens when the log went backwards,
    /// which the follower is to find out.
    pub(super) fn behind(&self) -> StoreError {
        self.poll_requested.notify_one();
        StoreError::Unavailable("it is behind its own change log".into())
    }

    async fn load_once(&self, id: KeyId) -> Result<Entry, StoreError> {
        // Another read may have ended since the look-up.
        let check = self.check(self.uptime());
        if let Some(entry) = self.entries.get(id, |entry| check.passes(entry.loaded_at, &entry.stamp)) {
            return Ok(entry);
        }
        if self.is_down() {
            return Err(gone());
        }
        let asked = self.asked();
        let loaded = self.batcher.load(id).await?;
        Ok(self.keep(id, loaded.key(id)?, loaded.head, asked))
    }

    pub(super) fn asked(&self) -> Asked {
        Asked { era: self.freshness.era(), uptime: self.uptime() }
    }

    /// Caches what a query has found of `id`, when the log ended with `head`.
    fn keep(&self, id: KeyId, key: Option<&LoadedKey>, head: Head, asked: Asked) -> Entry {
        self.note(head, asked.era);
        let point = Point::new(asked.era, head.revision);
        let entry = Entry {
            key: key.and_then(|it| self.cached_key(it)).map(Arc::new),
            loaded_at: asked.uptime,
            stamp: self.freshness.stamp(point, &depends_on(id, key)),
        };
        self.entries.put(id, entry.clone());
        entry
    }

    fn cached_key(&self, loaded: &LoadedKey) -> Option<CachedKey> {
        let mut credential = Credential::new(&loaded.key, loaded.owner_disabled)?;
        credential.policy.share_profile(|profile| self.profiles.share(profile));
        Some(CachedKey { credential, encoded: self.encoder.encode(&loaded.key) })
    }

    /// Notes the head that a query found, which may be ahead of the follower.
    pub(super) fn note(&self, head: Head, era: Era) {
        let mut history = self.history();
        if era == self.freshness.era() && history.note(head) == Fit::Contradicts {
            self.freshness.begin_era();
            self.poll_requested.notify_one();
        }
    }

    pub(super) fn is_down(&self) -> bool {
        *self.down.borrow()
    }

    /// Resolves once the database does not answer.
    pub(super) async fn goes_down(&self) {
        // The sender lives as long as `self`, so this does not fail.
        let _ = self.down.subscribe().wait_for(|down| *down).await;
    }

    /// Notes whether the database answers; while it does not, no read waits for it.
    pub(super) fn set_down(&self, down: bool) {
        self.down.send_replace(down);
        if down {
            self.batcher.refuse(&gone());
        }
    }
}

/// At most `queries` at a time to `store`.
pub(super) fn batcher(store: Arc<dyn CacheStore>, queries: usize) -> ReadBatcher<Loaded> {
    ReadBatcher::new(Throttle::new(queries), found_any, move |ids| {
        let store = store.clone();
        async move { store.load(&ids).await }
    })
}

/// A query that finds nothing is one of a flood of made-up ids, perhaps.
fn found_any(loaded: &Loaded) -> bool {
    !loaded.keys.is_empty()
}

pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("it did not answer a moment ago".into())
}

/// The resources whose changes may alter how `id` verifies.
fn depends_on(id: KeyId, loaded: Option<&LoadedKey>) -> Vec<Changed> {
    let mut resources = vec![Changed::Key(id)];
    if let Some(LoadedKey { key, .. }) = loaded {
        let account =
            ServiceAccountName { project: key.project.clone(), service_account: key.service_account.clone() };
        resources.extend([Changed::ServiceAccount(account), Changed::Project(key.project.clone())]);
    }
    resources
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::key::sample::key;

    use super::*;

    #[test]
    fn a_query_for_made_up_ids_finds_nothing() {
        let key = key(None, false);
        let mut loaded = Loaded { keys: HashMap::new(), head: Head { revision: 1, hash: [0; 32] } };
        assert!(!found_any(&loaded));
        loaded.keys.insert(key.id, Ok(LoadedKey { key, owner_disabled: false }));
        assert!(found_any(&loaded));
    }

    /// A project's deletion must be enough: its keys are deleted later, one after another.
    #[test]
    fn a_key_depends_on_itself_its_account_and_its_project() {
        let key = key(None, false);
        let (id, project) = (key.id, key.project.clone());
        let account = ServiceAccountName { project: project.clone(), service_account: "ci".parse().unwrap() };
        let resources = depends_on(id, Some(&LoadedKey { key, owner_disabled: false }));
        let expected = [Changed::Key(id), Changed::ServiceAccount(account), Changed::Project(project)];
        assert_eq!(resources, expected);
        assert_eq!(depends_on(id, None), [Changed::Key(id)]);
    }
}
