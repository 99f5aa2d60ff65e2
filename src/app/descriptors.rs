//! File descriptors: every connection needs one, and the database must find some however many callers there are.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is kept for all but callers and the database: files, listeners, the metrics, a collector of traces.
const RESERVED: u64 = 96;
/// SQLite has three files open for each connection.
const EACH_CONNECTION: u64 = 3;
/// With fewer for callers, they would wait for each other.
const FEWEST: u64 = 64;
/// More connections than this wait for memory, not for descriptors.
const MOST: u64 = 1_000_000;

/// Raises the number of descriptors that the process may have to the most that the system lets it have.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(error = %error, "the limit on open files stays as it is");
    }
}

/// How many connections the verify and the admin listener may have open.
pub(super) fn shares(database_connections: u32) -> [usize; 2] {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    let callers = limit.saturating_sub(RESERVED + EACH_CONNECTION * u64::from(database_connections));
    if callers < FEWEST {
        warn!(
            descriptors.limit = limit,
            "too few open files are allowed for callers and the database; raise `ulimit -n`"
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
    fn callers_get_what_the_database_leaves() {
        let few = shares(10).iter().sum::<usize>();
        let fewer = shares(20).iter().sum::<usize>();
        assert!(few >= fewer, "{few} {fewer}");
        assert_eq!(shares(u32::MAX).iter().sum::<usize>(), 64);
    }
}
