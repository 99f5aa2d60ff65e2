//! How the connections are divided, so that no kind of work takes them all.

/// How many connections each kind of work has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// For verifications, the follower of the change log, and readiness.
    pub verify: u32,
    /// For what admins read.
    pub read: u32,
    /// For changes and last uses.
    pub write: u32,
}

/// One of each kind, and of those for verifications one more, so that the follower need not wait for a load.
const FEWEST: u32 = 4;

/// Enough for four loads at a time, the follower and readiness: a load is short, so more would wait for the database instead.
const ENOUGH_TO_VERIFY: u32 = 6;

/// One change that commits, one that waits for the same lock, and the recorder of last uses.
const ENOUGH_TO_WRITE: u32 = 3;

impl Shares {
    /// Divides `connections`, which are at least four.
    pub fn of(connections: u32) -> Self {
        let connections = connections.max(FEWEST);
        let write = (connections / 4).clamp(1, ENOUGH_TO_WRITE);
        let verify = ((connections - write) / 2).clamp(2, ENOUGH_TO_VERIFY);
        Self { verify, read: connections - write - verify, write }
    }

    /// How many changes may be at the database: one connection is left to the recorder, if there is more than one.
    pub(super) fn turns(self) -> u32 {
        (self.write - 1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_work_has_a_share_and_the_shares_add_up() {
        for (connections, verify, read, write) in
            [(4, 2, 1, 1), (5, 2, 2, 1), (8, 3, 3, 2), (16, 6, 7, 3), (1000, 6, 991, 3)]
        {
            assert_eq!(Shares::of(connections), Shares { verify, read, write }, "{connections}");
        }
        for connections in FEWEST..=1000 {
            let shares = Shares::of(connections);
            assert_eq!(shares.verify + shares.read + shares.write, connections);
            assert!(shares.verify > 1 && shares.read > 0 && shares.turns() > 0);
        }
    }
}
