//! The cache in front of a real database: how often it asks, what it makes of changes, and what of failures.
#![expect(clippy::unwrap_used, reason = "helpers fail a test as the test itself does")]

mod behind;
mod changes;
mod crowd;
mod faulty;
mod flood;
mod gate;
mod look_ups;
mod misses;
mod node;
mod outcomes;
mod recorder;
mod rewinds;
mod roles;
mod sessions;
mod staleness;
mod streams;
mod stress;
mod warm;
