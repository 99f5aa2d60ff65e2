//! Readiness, as health checks see it: admins need the database, verifications only what the cache may still answer.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::{
    cache::Cache,
    grpc::{Health, Subject},
    ports::Readiness,
};

use super::{
    outage::{Outage, Turn},
    stop::Stop,
};

/// What readiness depends on.
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
    /// Looks every second, and keeps the health up to date, until it is told to stop.
    pub(super) async fn run(self, stop: Stop) {
        let told = stop.told();
        tokio::pin!(told);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut admin, mut verify) = (Outage::default(), Outage::default());
        loop {
            tokio::select! {
                biased;
                () = &mut told => return,
                _ = ticks.tick() => {}
            }
            let answer = tokio::select! {
                biased;
                () = &mut told => return,
                answer = self.ask() => answer,
            };
            if let Some(turn) = admin.note(answer.is_err()) {
                match turn {
                    Turn::Began => warn!(error = answer.err(), "not ready: the database does not answer"),
                    Turn::Ended => info!("ready again: the database answers"),
                }
                self.health.set_ready(Subject::Admin, turn == Turn::Ended).await;
            }
            if let Some(turn) = verify.note(!self.cache.may_answer()) {
                match turn {
                    Turn::Began => {
                        warn!("verifications are not ready: the cache is older than KEYSTILE_MAX_STALENESS")
                    }
                    Turn::Ended => info!("verifications are ready again"),
                }
                self.health.set_ready(Subject::Verify, turn == Turn::Ended).await;
            }
        }
    }

    async fn ask(&self) -> Result<(), String> {
        match timeout(PATIENCE, self.store.ping()).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}
