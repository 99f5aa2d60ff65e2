//! The turns of a periodic worker.

use std::{future::Future, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The first turn comes at once, later ones at least a period apart unless one is brought forward.
#[derive(Debug)]
pub(super) struct Schedule {
    ticks: Interval,
    stop: CancellationToken,
}

impl Schedule {
    pub(super) fn every(period: Duration, stop: &CancellationToken) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, stop: stop.clone() }
    }

    /// Waits for the next turn; `false` when the worker is to stop.
    pub(super) async fn next(&mut self) -> bool {
        self.next_or(std::future::pending()).await
    }

    /// As [`Self::next`], with a turn as soon as `early` resolves.
    pub(super) async fn next_or(&mut self, early: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            _ = self.ticks.tick() => true,
            () = early => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
    async fn turns_come_at_once_then_by_the_period_and_end_with_the_token() {
        let stop = CancellationToken::new();
        let mut schedule = Schedule::every(Duration::from_secs(60), &stop);
        let start = Instant::now();
        assert!(schedule.next().await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(schedule.next().await);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        assert!(schedule.next_or(std::future::ready(())).await);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        stop.cancel();
        assert!(!schedule.next_or(std::future::ready(())).await);
    }
}
