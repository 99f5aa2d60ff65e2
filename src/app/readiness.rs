//! Readiness for health checks: the admin services need the database, verifications need a cache that is recent enough.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    cache::Cache,
    grpc::{Health, Subject},
    ports::Readiness,
    schedule::Schedule,
    telemetry::{Outage, Turn},
};

/// Keeps the health up to date.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) store: Arc<dyn Readiness>,
    pub(super) cache: Arc<Cache>,
    pub(super) health: Health,
}

const EVERY: Duration = Duration::from_secs(1);

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Monitor {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut schedule = Schedule::every(EVERY);
        let (mut admin, mut verify) = (Outage::default(), Outage::default());
        while schedule.next_or(pending(), stop.cancelled()).await {
            let Some(answer) = stop.run_until_cancelled(self.ping()).await else { return };
            if let Some(turn) = admin.note(answer.is_err()) {
                match turn {
                    Turn::Began { .. } => {
                        warn!(error = answer.err(), "not ready: the database does not answer");
                    }
                    Turn::Ended { .. } => info!("ready again: the database answers"),
                }
                self.health.set_ready(Subject::Admin, !admin.is_lasting()).await;
            }
            if let Some(turn) = verify.note(!self.cache.may_answer()) {
                match turn {
                    Turn::Began { .. } => {
                        warn!("not ready for verifications: the cache is older than KEYSTILE_MAX_STALENESS");
                    }
                    Turn::Ended { .. } => info!("ready for verifications again"),
                }
                self.health.set_ready(Subject::Verify, !verify.is_lasting()).await;
            }
        }
    }

    async fn ping(&self) -> Result<(), String> {
        match timeout(PATIENCE, self.store.ping()).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}
