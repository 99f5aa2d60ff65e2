//! File descriptors: each connection needs one, and the database needs some however many callers connect.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Reserved for everything but callers and the database: files, listeners, metrics, the trace collector.
const RESERVED: u64 = 96;
/// SQLite opens three files for each connection.
const EACH_CONNECTION: u64 = 3;
/// Fewest for callers.
const FEWEST: u64 = 64;
/// Beyond this, memory is the limit.
const MOST: u64 = 1_000_000;

/// Raises the soft limit on descriptors to the hard limit.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(error = %error, "the limit on open files could not be raised");
    }
}

/// Most open connections of the verify and of the admin listener.
pub(super) fn shares(database_connections: u32) -> [usize; 2] {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    let callers = limit.saturating_sub(RESERVED + EACH_CONNECTION * u64::from(database_connections));
    if callers < FEWEST {
        warn!(
            descriptors.limit = limit,
            "the limit on open files is too low for callers and the database; raise it with `ulimit -n`"
        );
    }
    let callers = callers.clamp(FEWEST, MOST);
    let admin = callers / 4;
    [callers - admin, admin].map(|share| usize::try_from(share).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_the_descriptors_that_the_database_leaves() {
        let few = shares(10).iter().sum::<usize>();
        let fewer = shares(20).iter().sum::<usize>();
        assert!(few >= fewer, "{few} {fewer}");
        assert_eq!(shares(u32::MAX).iter().sum::<usize>(), 64);
    }
}
