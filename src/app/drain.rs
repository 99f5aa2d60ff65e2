//! The way down: not ready, no new calls, the last calls, the last notes, the last connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};
use tracing::{error, info, warn};

use crate::{
    grpc::{Health, Observer},
    recorder::Unsaved,
    store::SqlStore,
    verbs::Service,
};

use super::{
    serve::ServerEnd,
    stop::{Stopper, Worker},
};

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Every call under way ended before the deadline.
    pub drained: bool,
    /// Every last-used time is in the database.
    pub recorded: bool,
}

impl Stopped {
    /// Nothing was cut off, and nothing was lost.
    pub fn is_clean(self) -> bool {
        self.drained && self.recorded
    }
}

/// Everything that is to be stopped.
#[derive(Debug)]
pub(super) struct Running {
    /// Closes the listeners.
    pub(super) closing: Stopper,
    pub(super) servers: JoinSet<ServerEnd>,
    pub(super) observer: Arc<Observer>,
    pub(super) page: Worker<()>,
    pub(super) monitor: Worker<()>,
    pub(super) housekeeper: Worker<()>,
    pub(super) service: Service,
    pub(super) follower: Worker<()>,
    pub(super) writer: Worker<Unsaved>,
    pub(super) health: Health,
    pub(super) store: Arc<SqlStore>,
    /// How long calls under way may go on.
    pub(super) deadline: Duration,
}

impl Running {
    pub(super) async fn stop(mut self) -> Stopped {
        info!(drain.deadline_seconds = self.deadline.as_secs_f64(), "stopping");
        // Before the health is set for good: the monitor would call it ready again.
        self.monitor.end(TIDYING).await;
        self.health.end().await;
        self.closing.stop();
        self.health.end().await;
        let drained = timeout(self.deadline, ends(&mut self.servers)).await.is_ok();
        if !drained {
            warn!("the drain deadline has passed: calls under way are cut off");
            self.servers.shutdown().await;
        }
        self.housekeeper.end(TIDYING).await;
        // Those of callers who went away, too.
        if timeout(TIDYING, self.service.settled()).await.is_err() {
            warn!("changes do not come to an end: whether they were made is not known");
        }
        self.follower.end(TIDYING).await;
        let unsaved = self.writer.end(RECORDING).await;
        if let Some(Unsaved(notes @ 1..)) = unsaved {
            error!(
                recorder.lost = notes,
                "the database did not take the last notes: last-used times are too early"
            );
        }
        // What it would say is logged where it ends.
        let _ = timeout(TIDYING, spawn_blocking(move || self.observer.end())).await;
        self.page.end(TIDYING).await;
        if timeout(TIDYING, self.store.close()).await.is_err() {
            warn!("connections to the database are still in use: left as they are");
        }
        let stopped = Stopped { drained, recorded: unsaved == Some(Unsaved(0)) };
        info!(drain.complete = stopped.drained, recorder.complete = stopped.recorded, "stopped");
        stopped
    }
}

/// For each step after the drain: a supervisor is waiting.
const TIDYING: Duration = Duration::from_secs(5);

/// For the last notes. The writer itself gives up on a database that takes none for a few seconds; while it takes
/// them, a hundred thousand may need this.
const RECORDING: Duration = Duration::from_secs(30);

async fn ends(servers: &mut JoinSet<ServerEnd>) {
    while let Some(end) = servers.join_next().await {
        match end {
            Ok((_, Ok(()))) => {}
            Ok((listener, Err(failure))) => {
                error!(listener.name = listener, error = %failure, "a listener failed while it stopped");
            }
            Err(failure) => error!(error = %failure, "a listener failed while it stopped"),
        }
    }
}
