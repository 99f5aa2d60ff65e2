//! The real clock and the real source of randomness.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::ports::{Clock, Moment, Random};

/// What Keystile takes from its surroundings; tests bring their own.
#[derive(Debug, Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

impl World {
    /// The clock and the random source of the operating system.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Arc::new(OsRandom) }
    }
}

/// Reads the monotonic clock only, and derives the time of day from it: a second read would cost a noticeable part of a verification.
#[derive(Debug)]
struct SystemClock {
    start: Instant,
    /// The time of day minus the uptime, in microseconds.
    ahead: AtomicI64,
    /// The uptime at which that difference is checked again.
    due: AtomicI64,
}

/// How long a correction of the time of day may go unnoticed, in microseconds.
const NOTICED_WITHIN: i64 = 100_000;

/// A smaller difference, in microseconds, is not a correction but the time between two reads.
const EXACT: i64 = 1_000;

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn new() -> Self {
        let ahead = AtomicI64::new(Self::time_of_day());
        Self { start: Instant::now(), ahead, due: AtomicI64::new(NOTICED_WITHIN) }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn time_of_day() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
    }

    fn notice(&self, uptime: i64) {
        self.due.store(uptime.saturating_add(NOTICED_WITHIN), Relaxed);
        let ahead = Self::time_of_day().saturating_sub(uptime);
        // A thread that was suspended between the two reads leaves it to the next check.
        let held_up = micros(self.uptime()) - uptime > EXACT;
        if !held_up && (ahead - self.ahead.load(Relaxed)).abs() > EXACT {
            self.ahead.store(ahead, Relaxed);
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.moment().now
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn moment(&self) -> Moment {
        let uptime = self.uptime();
        let micros = micros(uptime);
        if micros >= self.due.load(Relaxed) {
            self.notice(micros);
        }
        let now = micros.saturating_add(self.ahead.load(Relaxed));
        Moment { now: Timestamp::from_micros(now).min(Timestamp::MAX), uptime }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[derive(Debug)]
struct OsRandom;

impl Random for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the random source")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_in_this_century() {
        let now = World::system().clock.now();
        assert!(now > "2025-01-01T00:00:00Z".parse().unwrap(), "{now}");
        assert!(now < "2100-01-01T00:00:00Z".parse().unwrap(), "{now}");
    }

    #[test]
    fn random_bytes_differ() {
        let random = World::system().random;
        assert_ne!(random.bytes::<32>(), random.bytes::<32>());
    }
}
