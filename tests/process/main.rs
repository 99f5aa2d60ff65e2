//! The binary as a process: how it starts, serves, stops, and what it leaves behind when it is killed.
#![expect(clippy::unwrap_used, reason = "helpers fail a test as the test itself does")]

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
mod replicas;
mod replicas_hot;
mod secrets;
mod start;
mod stop;
mod strangers;
mod told;
mod upgrade;
mod warm;

/// Long enough that only a server that hangs takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
