//! Notifications from PostgreSQL that something changed. The other databases have none.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Revision;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, SqlxError, Statement, sqlx::postgres::PgListener};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

use crate::ports::feed::Wakeups;

use super::{Location, SqlStore, transaction::Transaction};

const CHANNEL: &str = "keystile_changes";

/// Pause between two attempts to listen.
const PAUSE: Duration = Duration::from_millis(500);

/// Notifies all listeners; PostgreSQL delivers it once the transaction is committed.
pub(super) async fn announce(tx: &Transaction, revision: Revision) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let values = [CHANNEL.into(), revision.to_string().into()];
        let notify = "SELECT pg_notify($1, $2)";
        tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, notify, values)).await?;
    }
    Ok(())
}

impl SqlStore {
    /// Starts to listen, on a connection of its own.
    pub fn wakeups(&self) -> Box<dyn Wakeups> {
        match &self.options.location {
            Location::Server(url) if self.db.get_database_backend() == DbBackend::Postgres => {
                Box::new(Listening::start(url.clone()))
            }
            _ => Box::new(Never),
        }
    }
}

/// For databases without notifications: the follower relies on its poll.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Wakeups for Never {
    async fn next(&mut self) {
        std::future::pending().await
    }
}

#[derive(Debug)]
struct Listening {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Listening {
    fn start(url: String) -> Self {
        let wake = Arc::new(Notify::new());
        let task = tokio::spawn({
            let wake = wake.clone();
            async move {
                loop {
                    // The follower polls as well, and reports when the database does not answer.
                    let _ = listen(&url, &wake).await;
                    sleep(PAUSE).await;
                }
            }
        });
        Self { wake, task }
    }
}

#[async_trait]
impl Wakeups for Listening {
    async fn next(&mut self) {
        self.wake.notified().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(url: &str, wake: &Notify) -> Result<(), SqlxError> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Changes before it listened, or while it was disconnected, were not notified.
        wake.notify_one();
        while listener.try_recv().await?.is_some() {
            wake.notify_one();
        }
    }
}
