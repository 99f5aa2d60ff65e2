//! Housekeeping: once a minute, what time brings.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::service::{Error, Round, Service};

use super::{
    outage::{Outage, Turn},
    stop::Stop,
};

/// Keeps house every minute, the first time at once, until it is told to stop; a round under way is ended first.
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
        }
        let mut round = Round::default();
        let (done, stopping) = loop {
            match service.keep_house(&mut round).await {
                // There may be more; but a stop must not wait for all of it.
                Ok(true) if !is_told(told.as_mut()).await => {}
                Ok(more) => break (Ok(()), more),
                Err(error) => break (Err(error), false),
            }
        };
        tell_of(&round);
        if stopping {
            return;
        }
        tell(outage.note(done.is_err()), done.err());
    }
}

const EVERY: Duration = Duration::from_secs(60);

async fn is_told(told: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = told => true,
        () = std::future::ready(()) => false,
    }
}

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
