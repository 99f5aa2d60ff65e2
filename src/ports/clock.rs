//! The time of day, and time as it passes.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use domain::time::Timestamp;

#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// How long the process has run, which no correction of the time of day disturbs.
    fn uptime(&self) -> Duration;

    /// Resolves when so much time has passed.
    async fn sleep(&self, span: Duration);

    fn moment(&self) -> Moment {
        Moment { now: self.now(), uptime: self.uptime() }
    }
}

/// Both times, read once for all that is decided at a time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: Timestamp,
    pub uptime: Duration,
}
