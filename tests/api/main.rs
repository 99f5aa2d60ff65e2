//! Keystile over real gRPC connections: every method, good input and bad.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod audit;
mod callers;
mod calls;
mod discovery;
mod errors;
mod hot;
mod keys;
mod overload;
mod probes;
mod projects;
mod repeats;
mod roles;
mod service_accounts;
mod telemetry;
mod texts;
mod transport;
mod unchanged;
mod verify;
