//! A gRPC client that costs next to nothing, so that the server is what is measured: requests are encoded beforehand,
//! headers are a few indexed bytes, and of an answer no more is read than its code.

mod answer;
mod call;
mod connection;
mod headers;
mod probe;
mod stream;

pub(crate) use answer::{Shape, Tally};
pub(crate) use call::{Calls, Tick};
pub(crate) use connection::{Connection, Target};
pub(crate) use probe::Probe;
pub(crate) use stream::Flow;
