//! The cache in front of a real database: how many queries it makes, and how it handles changes and failures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in helpers too")]

mod behind;
mod changes;
mod contradictions;
mod crowd;
mod cut_off;
mod faulty;
mod flood;
mod gate;
mod grants;
mod look_ups;
mod misses;
mod node;
mod outcomes;
mod recorder;
mod recorder_limits;
mod rewinds;
mod role_ages;
mod role_reads;
mod roles;
mod sessions;
mod staleness;
mod streams;
mod stress;
mod together;
mod warm;
