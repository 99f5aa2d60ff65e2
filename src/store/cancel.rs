//! Breaking off a statement where it runs: in the database, not only at the client.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tokio::time::timeout;

/// What a connection is called in the database, and which of the reads on it are to end.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The process id of PostgreSQL or the connection id of MySQL and MariaDB; 0 before it is connected.
    id: AtomicI64,
    /// The number of the read that is under way; each has its own.
    current: AtomicU64,
    /// The number of the read that is to end, which SQLite asks for now and then.
    ended: AtomicU64,
}

impl Session {
    pub(super) fn connected(&self, id: i64) {
        self.id.store(id, SeqCst);
    }

    /// Numbers the next read.
    pub(super) fn begin(&self) -> u64 {
        self.current.fetch_add(1, SeqCst) + 1
    }

    /// Ends this read, and none after it.
    pub(super) fn end(&self, read: u64) {
        self.ended.fetch_max(read, SeqCst);
    }

    /// Whether the read that is under way may go on.
    pub(super) fn goes_on(&self) -> bool {
        self.ended.load(SeqCst) < self.current.load(SeqCst) || self.current.load(SeqCst) == 0
    }
}

/// Reaches the database past all connections that are busy.
#[derive(Debug)]
pub(super) struct Canceller(pub(super) DatabaseConnection);

/// How often a statement is broken off, since it may not have begun when it is tried first, and how long the connection may then
/// take to be usable again.
const TRIES: u32 = 10;
const PATIENCE: Duration = Duration::from_millis(200);

impl Canceller {
    /// Breaks off the read of this number on `connection`, which nobody else uses meanwhile; `false` when the connection does
    /// not answer in the end, and must not be used again.
    pub(super) async fn cancel(&self, connection: &DatabaseConnection, session: &Session, read: u64) -> bool {
        session.end(read);
        for _ in 0..TRIES {
            let _ = timeout(PATIENCE, self.order(session)).await;
            // It waits for the end of what runs. A late order may hit it in place of that, and then it is tried again.
            let probe = timeout(PATIENCE, connection.execute_unprepared("SELECT 1")).await;
            if matches!(probe, Ok(Ok(_))) {
                return true;
            }
        }
        false
    }

    pub(super) async fn close(&self) {
        // Closing a pool has no way to fail.
        let _ = self.0.close_by_ref().await;
    }

    /// A statement that has ended meanwhile is no reason to fail, and the probe finds out about all else.
    async fn order(&self, session: &Session) {
        let id = session.id.load(SeqCst);
        let order = match self.0.get_database_backend() {
            _ if id == 0 => return,
            DbBackend::Postgres => format!("SELECT pg_cancel_backend({id})"),
            DbBackend::MySql => format!("KILL QUERY {id}"),
            _ => return,
        };
        let _ = self.0.execute_unprepared(&order).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_one_read_is_not_that_of_the_next() {
        let session = Session::default();
        assert!(session.goes_on());
        let first = session.begin();
        assert!(session.goes_on());
        session.end(first);
        assert!(!session.goes_on());
        session.begin();
        assert!(session.goes_on());
        session.end(first);
        assert!(session.goes_on(), "word of its end came late");
    }
}
