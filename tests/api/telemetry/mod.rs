//! What operators see from outside.

mod metrics;
mod traces;
