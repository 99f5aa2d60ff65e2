//! A gRPC client that uses little CPU time, so that the server is what is measured: requests are encoded in advance,
//! headers are a few indexed bytes, and only the code of a response is read.

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
