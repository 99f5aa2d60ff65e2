//! The stop, in order: not ready, no new calls, the last calls and changes, the last records, the database.

use std::{sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};
use tracing::{error, info, warn};

use crate::{
    grpc::{Health, Observer},
    recorder::Unsaved,
    store::SqlStore,
    verbs::Service,
};

use super::{
    servers::Servers,
    worker::{Stage, Worker, Workers},
};

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Every call under way ended before the deadline.
    pub drained: bool,
    /// Every last-used time is in the database.
    pub recorded: bool,
}

impl Stopped {
    /// No call was aborted, and nothing was lost.
    pub fn is_clean(self) -> bool {
        self.drained && self.recorded
    }
}

/// Everything that runs and must be stopped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) servers: Servers,
    pub(super) workers: Workers,
    pub(super) writer: Worker<Unsaved>,
    pub(super) service: Service,
    pub(super) observer: Arc<Observer>,
    pub(super) health: Health,
    pub(super) store: Arc<SqlStore>,
    /// How long calls under way may take.
    pub(super) deadline: Duration,
}

impl Running {
    pub(super) async fn stop(mut self) -> Stopped {
        info!(drain.deadline_seconds = self.deadline.as_secs_f64(), "stopping");
        // Before the health changes for good: readiness would report this node as ready again.
        self.workers.stop(Stage::First, STEP).await;
        self.health.end().await;
        let drained = self.servers.drain(self.deadline).await;
        self.workers.stop(Stage::AfterCalls, STEP).await;
        // A change is finished even if its caller is gone.
        if timeout(STEP, self.service.settled()).await.is_err() {
            warn!("changes under way did not end in time: they may have been made or not");
        }
        self.workers.stop(Stage::AfterChanges, STEP).await;
        let unsaved = self.writer.stop(RECORDING).await;
        if let Some(Unsaved(lost @ 1..)) = unsaved {
            error!(
                recorder.lost = lost,
                "the database did not accept the last records: some last-used times are too early"
            );
        }
        // Logs its own failure.
        let _ = timeout(STEP, spawn_blocking(move || self.observer.end())).await;
        self.workers.stop(Stage::Last, STEP).await;
        if timeout(STEP, self.store.close()).await.is_err() {
            warn!("some database connections are still in use and were not closed");
        }
        let stopped = Stopped { drained, recorded: unsaved == Some(Unsaved(0)) };
        info!(drain.complete = stopped.drained, recorder.complete = stopped.recorded, "stopped");
        stopped
    }
}

/// How long each step after the drain may take: a supervisor is waiting.
const STEP: Duration = Duration::from_secs(5);

/// How long the last records may take. The writer gives up by itself on a database that accepts none for a few seconds; while the
/// database accepts them, 100,000 may take this long.
const RECORDING: Duration = Duration::from_secs(30);
