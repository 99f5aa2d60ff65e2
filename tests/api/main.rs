//! Keystile over real gRPC connections: every method, good input and bad.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod callers;
mod calls;
mod discovery;
mod errors;
mod forge;
mod hot;
mod keys;
mod overload;
mod probes;
mod projects;
mod repeats;
mod service_accounts;
mod telemetry;
mod texts;
mod transport;
mod unchanged;
mod verify;
#[path = "../support"]
mod support {
    #[expect(dead_code, reason = "other suites use the rest")]
    pub(crate) mod database;
    #[expect(dead_code, reason = "other suites use the rest")]
    pub(crate) mod process;
    pub(crate) mod rpc;
    pub(crate) mod server;
    pub(crate) mod status;
    pub(crate) mod telemetry;
}
