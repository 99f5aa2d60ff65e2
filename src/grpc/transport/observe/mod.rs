//! What operators see of calls: how long each took, how it ended, and a trace of those that are sampled.

mod layer;
mod observer;

pub(in crate::grpc) use layer::Observe;
pub use observer::Observer;
