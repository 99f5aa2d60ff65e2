//! Housekeeping: what becomes due only by the passing of time, checked once a minute.

use std::{pin::pin, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    schedule::Schedule,
    telemetry::{Outage, Turn},
    verbs::{Round, Service},
};

const EVERY: Duration = Duration::from_secs(60);

/// Runs a round every minute, and earlier when a call left work to do. At the stop, the portion under way is finished.
pub(super) async fn run(service: Service, stop: CancellationToken) {
    let mut schedule = Schedule::every(EVERY);
    let mut outage = Outage::default();
    while schedule.next_or(service.left_over(), stop.cancelled()).await {
        let mut round = Round::default();
        let stopped = service.keep_house(&mut round, pin!(stop.cancelled())).await;
        log(&round);
        match (outage.note(stopped.is_err()), stopped) {
            (_, Ok(true)) => return,
            (Some(Turn::Began { .. }), Err(error)) => warn!(error = %error, "housekeeping fails; retrying"),
            (Some(Turn::Ended { .. }), _) => info!("housekeeping succeeds again"),
            _ => {}
        }
    }
}

fn log(round: &Round) {
    let (purged, removed, skipped) = (round.purged(), round.removed(), round.skipped());
    if purged > 0 {
        info!(keys.purged = purged, "purged deleted keys");
    }
    if removed > 0 {
        info!(
            keys.removed = removed,
            "removed keys after their projects and service accounts, and deleted roles from keys"
        );
    }
    if skipped > 0 {
        warn!(rows.skipped = skipped, "housekeeping skipped rows that it could not read or write");
    }
}
