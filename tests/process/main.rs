//! The binary as a process: how it starts, serves and stops, and its state after a kill.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in helpers too")]

use std::time::Duration;

mod backup;
mod cluster;
mod crash;
mod crowd;
mod disk;
mod first_start;
mod full_disk;
mod held;
mod home;
mod inventory;
mod ledger;
mod losses;
mod memory;
mod needles;
mod outage;
mod peppers;
mod private_postgres;
mod readme;
mod received;
mod replicas;
mod replicas_hot;
mod secrets;
mod start;
mod stop;
mod strangers;
mod upgrade;
mod warm;

/// A generous limit: only a server that hangs takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
