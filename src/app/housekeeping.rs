//! Housekeeping: once a minute, what time brings.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::verbs::{Error, Round, Service};

use super::{
    outage::{Outage, Turn},
    stop::Stop,
};

/// Keeps house every minute, the first time at once, and when a call has left something over, until it is told to stop; a portion under way is ended first.
pub(super) async fn keep(service: Service, stop: Stop) {
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
            () = service.left_over() => {}
        }
        let mut round = Round::default();
        // A stop must not wait for all of it.
        let stopping = service.keep_house(&mut round, told.as_mut()).await;
        tell_of(&round);
        if let Ok(true) = stopping {
            return;
        }
        tell(outage.note(stopping.is_err()), stopping.err());
    }
}

const EVERY: Duration = Duration::from_secs(60);

fn tell_of(round: &Round) {
    let (purged, removed, skipped) = (round.purged(), round.removed(), round.skipped());
    if purged > 0 {
        info!(keys.purged = purged, "purged deleted keys");
    }
    if removed > 0 {
        info!(keys.removed = removed, "removed the keys of deleted projects and service accounts");
    }
    if skipped > 0 {
        warn!(rows.skipped = skipped, "housekeeping left rows that cannot be read or written");
    }
}

fn tell(news: Option<Turn>, error: Option<Error>) {
    match (news, error) {
        (Some(Turn::Began), Some(error)) => warn!(error = %error, "housekeeping fails; trying on"),
        (Some(Turn::Ended), _) => info!("housekeeping works again"),
        _ => {}
    }
}
