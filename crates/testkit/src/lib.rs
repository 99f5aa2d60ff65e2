//! What the test suites share: servers, databases, processes, forged API keys, and what an answer says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod database;
pub mod forge;
pub mod http2;
pub mod process;
pub mod rpc;
pub mod server;
pub mod status;
pub mod telemetry;
