//! Keystile over real gRPC connections: every method, good input and bad.

mod key_life;
#[path = "../support"]
mod support {
    pub(crate) mod database;
    pub(crate) mod server;
    pub(crate) mod status;
}
