//! A time in which API keys cannot be verified, logged when it begins and when it ends.

use std::{
    error::Error as StdError,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::error::{Error, ErrorKind};

/// How many requests were answered with 503 since the last one that was decided.
#[derive(Debug, Default)]
pub(super) struct Outage(AtomicU64);

impl Outage {
    pub(super) fn undecided(&self, error: &Error) {
        if self.add() {
            log_begin(error);
        }
    }

    pub(super) fn decided(&self) {
        if let Some(requests) = self.end() {
            tracing::info!(requests, "API keys are verified again; so many requests were answered with 503");
        }
    }

    /// Whether it begins with this request.
    fn add(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Of how many requests it was, if there was one.
    fn end(&self) -> Option<u64> {
        // No outage is the usual case, and costs a load.
        let ended = self.0.load(Ordering::Relaxed) > 0;
        ended.then(|| self.0.swap(0, Ordering::Relaxed)).filter(|requests| *requests > 0)
    }
}

/// What passes by itself is a warning; what someone has to mend is an error.
fn log_begin(error: &Error) {
    const MESSAGE: &str = "API keys cannot be verified: requests are answered with 503 until this ends";
    let causes = causes(error);
    match error.kind() {
        ErrorKind::DeadlineExceeded | ErrorKind::Unavailable => tracing::warn!(error = causes, "{MESSAGE}"),
        _ => tracing::error!(error = causes, "{MESSAGE}"),
    }
}

/// The error and what caused it, each once: `a: b: c`.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = StdError::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_and_the_end_of_an_outage_are_logged() {
        let outage = Outage::default();
        for _ in 0..2 {
            assert_eq!(outage.end(), None);
            let begun: Vec<_> = (0..3).map(|_| outage.add()).collect();
            assert_eq!(begun, [true, false, false]);
            assert_eq!(outage.end(), Some(3));
        }
    }
}
