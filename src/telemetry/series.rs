//! Failures that come in series: the first is logged as it is, the others are counted and summed up now and then.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

/// Failures of one kind.
#[derive(Debug)]
pub struct Series {
    /// What the sum says of them.
    what: &'static str,
    lasting: AtomicBool,
    counted: AtomicU64,
}

/// How far apart sums are logged, and how long nothing must have failed for the next failure to be a first one.
const EVERY: Duration = Duration::from_secs(10);

impl Series {
    pub const fn new(what: &'static str) -> Self {
        Self { what, lasting: AtomicBool::new(false), counted: AtomicU64::new(0) }
    }

    /// Counts one; whether it is the first of its series, which its caller logs.
    pub fn note(&'static self) -> bool {
        // Without a runtime nobody would sum up.
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

/// The end of a series, when it is dropped: by a runtime that ends, too.
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
    async fn only_the_first_is_logged_until_there_was_none_for_a_while() {
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
