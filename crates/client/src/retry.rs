//! One retry, and no storm of them.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::error::Error;

/// What a success adds and a retry takes: a lasting share of failures repeats at most one call in ten.
const SUCCESS: u32 = 1;
const RETRY: u32 = 10;
/// Limits retries to a share of the calls that succeed.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    left: AtomicU32,
    most: u32,
}

impl RetryBudget {
    /// Enough for so many retries in a row.
    pub(crate) fn of(retries: u32) -> Self {
        let most = retries * RETRY;
        Self { left: AtomicU32::new(most), most }
    }

    pub(crate) fn deposit(&self) {
        // A full budget is the usual case, and costs a load.
        if self.left.load(Ordering::Relaxed) < self.most {
            self.left.fetch_add(SUCCESS, Ordering::Relaxed);
        }
    }

    /// Whether one more retry is within the budget, which it then takes.
    pub(crate) fn withdraw(&self) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(RETRY));
        taken.is_ok()
    }
}

/// How long to wait before asking again after `error`. What a node says of itself does not hold for another one.
pub(crate) fn wait(error: &Error, elsewhere: bool) -> Duration {
    if elsewhere && error.concerns_the_node() {
        return Duration::ZERO;
    }
    error.retry_after().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    #[test]
    fn during_an_outage_retries_stop_until_calls_succeed() {
        let budget = RetryBudget::of(10);
        assert_eq!((0..1_000).filter(|_| budget.withdraw()).count(), 10);
        (0..RETRY).for_each(|_| budget.deposit());
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
    }

    #[test]
    fn failures_of_one_node_are_retried_on_another_at_once() {
        let delay = Duration::from_secs(1);
        for (reason, elsewhere) in [
            ("OVERLOADED", Duration::ZERO),
            ("TOO_MANY_CONNECTIONS", Duration::ZERO),
            ("STOPPING", Duration::ZERO),
            ("STORE_UNAVAILABLE", delay),
        ] {
            let mut details = ErrorDetails::with_error_info(reason, "keystile", []);
            details.set_retry_info(Some(delay));
            let error = Error::from(Status::with_error_details(Code::Unavailable, "", details));
            assert_eq!((wait(&error, true), wait(&error, false)), (elsewhere, delay), "{reason}");
        }
    }
}
