//! Breaking off a statement where it runs: in the database, not only at the client.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tokio::time::timeout;

/// What a connection is called in the database, and which of the reads on it are to end.
#[derive(Debug, Default)]
pub(super) struct DatabaseSession {
    /// The process id of PostgreSQL or the connection id of MySQL and MariaDB; 0 before it is connected.
    id: AtomicI64,
    /// The number of the read that is under way; each has its own.
    current: AtomicU64,
    /// The number of the read that has the connection of this id: other reads may have another by now, and after a restart of the
    /// server the id may be that of another session.
    holder: AtomicU64,
    /// The number of the read that is to end, which SQLite asks for now and then.
    ended: AtomicU64,
}

impl DatabaseSession {
    pub(super) fn connected(&self, id: i64) {
        self.id.store(id, SeqCst);
        self.lent();
    }

    /// The read under way has the connection, which still lives.
    pub(super) fn lent(&self) {
        self.holder.store(self.current.load(SeqCst), SeqCst);
    }

    /// What the connection of this read is called, if it has one.
    fn of(&self, read: u64) -> Option<i64> {
        Some(self.id.load(SeqCst)).filter(|id| *id != 0 && self.holder.load(SeqCst) == read)
    }

    /// Numbers the next read.
    pub(super) fn begin(&self) -> u64 {
        self.current.fetch_add(1, SeqCst) + 1
    }

    /// Ends this read, and none after it.
    pub(super) fn end(&self, read: u64) {
        self.ended.fetch_max(read, SeqCst);
    }

    /// Whether the current read may continue.
    pub(super) fn may_continue(&self) -> bool {
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
    /// Cancels the read of this number on `connection`, which has no other user meanwhile; `false` if the connection must
    /// not be used again, because it does not answer, or because a late cancellation may still reach it.
    pub(super) async fn cancel(
        &self,
        connection: &DatabaseConnection,
        session: &DatabaseSession,
        read: u64,
    ) -> bool {
        session.end(read);
        let mut late = false;
        for _ in 0..TRIES {
            late |= timeout(PATIENCE, self.order(session, read)).await.is_err();
            // It waits for the end of what runs. A late order may hit it in place of that, and then it is tried again.
            let probe = timeout(PATIENCE, connection.execute_unprepared("SELECT 1")).await;
            if matches!(probe, Ok(Ok(_))) {
                // An order that did not arrive yet would break off the next read.
                return !late;
            }
        }
        false
    }

    pub(super) async fn close(&self) {
        // Closing a pool has no way to fail, but waits for an order that may never be answered.
        let _ = timeout(PATIENCE, self.0.close_by_ref()).await;
    }

    /// Errors are ignored: the statement may have ended already, and the probe detects all other failures.
    async fn order(&self, session: &DatabaseSession, read: u64) {
        let Some(id) = session.of(read) else { return };
        let order = match self.0.get_database_backend() {
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
    fn the_end_of_one_read_does_not_end_the_next() {
        let session = DatabaseSession::default();
        assert!(session.may_continue());
        let first = session.begin();
        assert!(session.may_continue());
        session.end(first);
        assert!(!session.may_continue());
        session.begin();
        assert!(session.may_continue());
        session.end(first);
        assert!(session.may_continue(), "a late end of an earlier read");
    }

    #[test]
    fn a_read_without_a_connection_cancels_nothing() {
        let session = DatabaseSession::default();
        let first = session.begin();
        assert_eq!(session.of(first), None);
        session.connected(7);
        assert_eq!(session.of(first), Some(7));
        let second = session.begin();
        assert_eq!(session.of(second), None, "the connection may be closed, and its id reused");
        session.lent();
        assert_eq!(session.of(second), Some(7));
    }
}
