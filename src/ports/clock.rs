//! The time of day.

use std::fmt::Debug;

use crate::domain::time::Timestamp;

pub trait Clock: Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}
