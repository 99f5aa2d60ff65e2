//! How long each measurement takes, and which are skipped.

use std::time::Duration;

use crate::{arguments::Arguments, load::Width};

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
    /// A number of keys that is large for a cache.
    pub(crate) many: u64,
    /// A number of keys that is large for a database.
    pub(crate) stored: u64,
    /// How many keys are revoked.
    pub(crate) revocations: u64,
    /// Where a PostgreSQL server is.
    pub(crate) postgres: String,
    /// A generous limit: only a group that hangs takes longer.
    pub(crate) longest: Duration,
    groups: Vec<String>,
}

/// A small number of keys.
pub(crate) const FEW: u64 = 10_000;

/// Enough load to keep two processors busy.
pub(crate) const WIDE: Width = Width { connections: 8, in_flight: 32 };

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let millis = Duration::from_millis;
        let quick = arguments.quick;
        Self {
            // Many short rounds: on a shared machine, two adjacent rounds are disturbed in the same way.
            rounds: if quick { 3 } else { 9 },
            warm_up: millis(if quick { 100 } else { 150 }),
            span: millis(if quick { 300 } else { 600 }),
            many: if quick { 100_000 } else { 1_000_000 },
            stored: match (arguments.large, quick) {
                (true, _) => 10_000_000,
                (false, false) => 300_000,
                (false, true) => 50_000,
            },
            revocations: if quick { 100 } else { 300 },
            postgres: arguments.postgres.clone(),
            longest: Duration::from_secs(if arguments.large { 7200 } else { 900 }),
            groups: arguments.rows.clone(),
        }
    }

    /// Whether the rows of this group are asked for.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|it| group.contains(it.as_str()))
    }
}
