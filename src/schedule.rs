//! The turns of periodic work.

use std::{
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// The first turn comes at once, later ones at least a period apart unless one is brought forward. A turn that comes late delays
/// those after it.
#[derive(Debug)]
pub(crate) struct Schedule(Interval);

impl Schedule {
    pub(crate) fn every(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(ticks)
    }

    /// Waits for the next turn.
    pub(crate) async fn next(&mut self) {
        self.0.tick().await;
    }

    /// As [`Self::next`], with a turn as soon as `early` resolves; `false` when `stop` resolves first.
    pub(crate) async fn next_or(
        &mut self,
        early: impl Future<Output = ()>,
        stop: impl Future<Output = ()>,
    ) -> bool {
        tokio::select! {
            biased;
            () = stop => false,
            () = self.next() => true,
            () = early => true,
        }
    }

    /// As [`Self::next`], for a caller that polls.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_tick(context).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
    async fn the_first_turn_comes_at_once_and_later_ones_after_a_period_or_early() {
        let mut schedule = Schedule::every(Duration::from_secs(60));
        let start = Instant::now();
        schedule.next().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        schedule.next().await;
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        assert!(schedule.next_or(ready(()), pending()).await);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        assert!(schedule.next_or(pending(), pending()).await);
        assert_eq!(start.elapsed(), Duration::from_secs(120));
        poll_fn(|context| schedule.poll_next(context)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(180));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_precedes_a_turn_that_is_due() {
        let mut schedule = Schedule::every(Duration::from_secs(60));
        assert!(!schedule.next_or(ready(()), ready(())).await);
    }
}
