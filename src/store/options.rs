//! Which database to open, and how.

use std::{fmt, path::PathBuf, time::Duration};

#[derive(Debug, Clone)]
pub struct Options {
    pub location: Location,
    /// All together; [`Shares`](super::Shares) has how they are divided.
    pub max_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long the database may work on something that an admin reads.
    pub slowest_read: Duration,
    /// How long the first connection may take.
    pub connect_timeout: Duration,
    /// How long a transaction of a client that vanished may hold its locks on a server, and how long a database that vanished may
    /// take to answer a statement of one. At least a second, and longer than a statement waits for a lock.
    pub vanished_after: Duration,
}

#[derive(Clone)]
pub enum Location {
    /// A file, made if it is missing; its directory must be there.
    Sqlite(PathBuf),
    /// `postgres://…` or `mysql://…`, with the password in it.
    Server(String),
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => f.debug_tuple("Sqlite").field(file).finish(),
            Self::Server(_) => f.write_str("Server(redacted)"),
        }
    }
}
