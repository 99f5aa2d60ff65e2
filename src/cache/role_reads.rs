//! Reads of roles: they take turns with the reads of keys, so that verifications never take more connections than they may.

use std::{fmt, sync::Arc};

use domain::id::{ProjectId, RoleId};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::ports::{CacheStore, StoreError, roles::LoadedRoles};

use super::read_batcher::{TIMEOUT, cut_short, too_slow};

pub(super) struct RoleReads {
    store: Arc<dyn CacheStore>,
    /// Each query for a verification holds one.
    queries: Arc<Semaphore>,
    /// Held by the read that waits for a query, so that the keys that wait for the next one are behind one read of roles at
    /// the most.
    next: Mutex<()>,
}

/// The right to one query.
pub(super) struct Turn {
    store: Arc<dyn CacheStore>,
    query: OwnedSemaphorePermit,
}

impl RoleReads {
    pub(super) fn new(store: Arc<dyn CacheStore>, queries: Arc<Semaphore>) -> Self {
        Self { store, queries, next: Mutex::default() }
    }

    pub(super) async fn turn(&self) -> Turn {
        let _next = self.next.lock().await;
        let query = self.queries.clone().acquire_owned().await.expect("it is never closed");
        Turn { store: self.store.clone(), query }
    }
}

impl Turn {
    /// The query continues when the caller gives up: it cannot be used to start more of them than there may be.
    pub(super) async fn load(
        self,
        project: ProjectId,
        ids: Box<[RoleId]>,
    ) -> Result<LoadedRoles, StoreError> {
        let Self { store, query } = self;
        let task = tokio::spawn(async move {
            let answer = timeout(TIMEOUT, store.load_roles(&project, &ids)).await;
            drop(query);
            answer.unwrap_or_else(|_| Err(too_slow()))
        });
        task.await.unwrap_or_else(|_| Err(cut_short()))
    }
}

impl fmt::Debug for RoleReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoleReads")
    }
}
