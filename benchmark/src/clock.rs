//! The one place where the benchmark reads the clock.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
