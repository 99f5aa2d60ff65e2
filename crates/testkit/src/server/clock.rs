//! A clock that the test advances.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::time::Timestamp;
use keystile::ports::Clock;

/// The time at which every test begins.
pub const START: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);

/// Shows the same time until the test advances it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(START.as_micros()))
    }
}

impl TestClock {
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        let start = u64::try_from(START.as_micros()).unwrap();
        let now = u64::try_from(self.0.load(Ordering::SeqCst)).unwrap();
        Duration::from_micros(now - start)
    }

    /// On this clock work takes no time, so rests in proportion to it need no time either.
    async fn sleep(&self, _span: Duration) {}
}
