//! The store in SQL: one implementation for SQLite, PostgreSQL and MySQL or MariaDB.
//!
//! Each resource has a folder with its rows, reads, writes and filter; the rest is what they share.

mod cancel;
mod claim;
mod cleanup;
mod columns;
mod commit;
mod error;
mod expect;
mod filter;
mod keys;
mod keyset;
mod load;
mod log;
mod migrate;
mod open;
mod options;
mod peppers;
mod pools;
mod projects;
mod queue;
mod reads;
mod recording;
mod removals;
mod requests;
mod roles;
mod service_accounts;
mod shares;
mod sql_store;
mod table;
mod transaction;
mod turns;
mod upgrades;
mod use_statements;
mod wakeups;
mod with_head;
mod writes;
mod writing;

pub use claim::{Claim, ClaimError};
pub use migrate::MigrateError;
pub use options::{Location, Options};
pub use shares::Shares;
pub use sql_store::SqlStore;
