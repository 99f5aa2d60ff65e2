//! What the test suites share: servers, databases, processes, forged API keys, and the reading of responses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

pub mod database;
pub mod forge;
pub mod http2;
pub mod process;
pub mod random;
pub mod rpc;
pub mod server;
pub mod status;
pub mod telemetry;

/// A generous limit for everything that a test waits for: only a hang takes longer, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);
