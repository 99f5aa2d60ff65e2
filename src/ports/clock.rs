//! The time of day, and time as it passes.

use std::{fmt::Debug, time::Duration};

use crate::domain::time::Timestamp;

pub trait Clock: Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// How long the process has run, which no correction of the time of day disturbs.
    fn uptime(&self) -> Duration;
}
