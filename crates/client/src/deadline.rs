//! The end of a call, for all its attempts together.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Error;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(span: Duration) -> Self {
        Self(now() + span)
    }

    /// What is left, which an attempt reports to the server.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Ends `work` at the deadline.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout_at(self.0, work).await.unwrap_or_else(|_| Err(Error::deadline()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which a test can pause: a retry has to know what is left"
)]
fn now() -> Instant {
    Instant::now()
}
