//! The real time and the real randomness.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    domain::time::Timestamp,
    ports::{Clock, Random},
};

/// What Keystile takes from the world around it; tests bring their own.
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

#[derive(Debug)]
struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)).min(Timestamp::MAX)
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }
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
    fn time_is_in_this_century() {
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
