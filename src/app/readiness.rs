//! Readiness: whether the database answers, as health checks see it.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::{grpc::Health, ports::Store};

use super::{
    outage::{Outage, Turn},
    stop::Stop,
};

/// Asks the database every two seconds and keeps `health` up to date, until it is told to stop.
pub(super) async fn monitor(store: Arc<dyn Store>, health: Health, stop: Stop) {
    let told = stop.told();
    tokio::pin!(told);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outage = Outage::default();
    loop {
        tokio::select! {
            biased;
            () = &mut told => return,
            _ = ticks.tick() => {}
        }
        let answer = tokio::select! {
            biased;
            () = &mut told => return,
            answer = ask(&*store) => answer,
        };
        match outage.note(answer.is_err()) {
            Some(Turn::Began) => {
                warn!(error = answer.err(), "not ready: the database does not answer");
                health.set_ready(false).await;
            }
            Some(Turn::Ended) => {
                info!("ready again: the database answers");
                health.set_ready(true).await;
            }
            None => {}
        }
    }
}

const EVERY: Duration = Duration::from_secs(2);

async fn ask(store: &dyn Store) -> Result<(), String> {
    match timeout(EVERY, store.ping()).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", EVERY.as_secs())),
    }
}
