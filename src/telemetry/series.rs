//! Failures that may come in great numbers: the first is logged in full, later ones are counted and logged as a sum.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

/// Failures of one kind.
#[derive(Debug)]
pub struct Series {
    /// Describes them in the sum's log line.
    what: &'static str,
    lasting: AtomicBool,
    counted: AtomicU64,
}

/// The interval of sums, and how long nothing must fail for the next failure to count as a first one.
const EVERY: Duration = Duration::from_secs(10);

impl Series {
    pub const fn new(what: &'static str) -> Self {
        Self { what, lasting: AtomicBool::new(false), counted: AtomicU64::new(0) }
    }

    /// Counts one, and answers whether it is the first of its series, which the caller then logs.
    pub fn note(&'static self) -> bool {
        // Without a runtime there is no task to log the sum.
        let Ok(runtime) = Handle::try_current() else { return true };
        if self.lasting.swap(true, Relaxed) {
            self.counted.fetch_add(1, Relaxed);
            return false;
        }
        runtime.spawn(self.sum_up(End(&self.lasting)));
        true
    }

    async fn sum_up(&self, end: End<'_>) {
        loop {
            sleep(EVERY).await;
            match self.counted.swap(0, Relaxed) {
                0 => return drop(end),
                counted => tracing::warn!(failed = counted, seconds = EVERY.as_secs(), "more {}", self.what),
            }
        }
    }
}

/// Ends the series when it is dropped, also by a runtime that shuts down.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_first_of_a_series_is_logged() {
        static SERIES: Series = Series::new("calls failed in a test");
        assert!(SERIES.note());
        for _ in 0..3 {
            assert!(!SERIES.note());
            sleep(EVERY).await;
        }
        sleep(EVERY * 2).await;
        assert!(SERIES.note());
    }
}
