//! One retry, and no storm of them.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::error::Error;

/// What a success adds and a retry takes: a lasting share of failures repeats at most one call in ten.
const SUCCESS: u32 = 1;
const RETRY: u32 = 10;
/// Enough for ten retries in a row.
const MOST: u32 = 100;

/// Limits retries to a share of the calls that succeed.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicU32);

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(MOST))
    }

    pub(crate) fn deposit(&self) {
        // A full budget is the usual case, and costs a load.
        if self.0.load(Ordering::Relaxed) < MOST {
            self.0.fetch_add(SUCCESS, Ordering::Relaxed);
        }
    }

    /// How long to wait before asking again after `error`; `None` if it is not to be asked again, or not within `left`.
    pub(crate) fn retry(&self, error: &Error, left: Duration) -> Option<Duration> {
        let wait = error.retry_after().unwrap_or_default();
        if !error.is_transient() || wait >= left {
            return None;
        }
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(RETRY));
        taken.ok().map(|_| wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_an_outage_retries_end_until_calls_succeed_again() {
        let budget = RetryBudget::new();
        let failed = Error::unavailable("down");
        let retries = (0..1_000).filter(|_| budget.retry(&failed, Duration::MAX).is_some()).count();
        assert_eq!(retries, 10);
        (0..RETRY).for_each(|_| budget.deposit());
        assert!(budget.retry(&failed, Duration::MAX).is_some());
        assert!(budget.retry(&failed, Duration::MAX).is_none());
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let budget = RetryBudget::new();
        for error in [Error::deadline(), Error::fault("?"), tonic::Status::unauthenticated("no").into()] {
            assert_eq!(budget.retry(&error, Duration::MAX), None, "{error}");
        }
    }
}
