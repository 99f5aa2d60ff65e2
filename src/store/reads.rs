//! Reading: each read has a connection to itself, and one that is given up leaves nothing running in the database.
//!
//! Every connection is a pool of its own, so that it is known which session of the database belongs to a read.

use std::{
    collections::VecDeque,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{DatabaseConnection, DbBackend, Statement};
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::ports::StoreError;

use super::{
    cancel::{Canceller, DatabaseSession},
    queue::Queue,
};

pub(super) struct Reads {
    queue: Queue,
    /// Long reads have a smaller limit, so that there is a connection for reads of one row, such as at the start of a change.
    long: Queue,
    shared: Arc<Shared>,
    /// How long a read may take; where the database does not see to that itself, it is done here.
    slowest: Option<Duration>,
    /// How long to wait for an answer: longer than the database may take for it, since a host that is lost never answers.
    patience: Duration,
}

struct Shared {
    /// Idle connections, the one that has been idle for longest first.
    free: Mutex<VecDeque<ReadConnection>>,
    canceller: Arc<Canceller>,
    /// Makes a pool of one connection.
    connect: Box<dyn Fn() -> ReadConnection + Send + Sync>,
}

/// A pool of one connection.
pub(super) struct ReadConnection {
    pub(super) db: DatabaseConnection,
    pub(super) session: Arc<DatabaseSession>,
}

impl Reads {
    /// As many at a time as `queue` has connections, and one less than that of those in `long`.
    pub(super) fn new(
        [queue, long]: [Queue; 2],
        connections: u32,
        canceller: Arc<Canceller>,
        slowest: Option<Duration>,
        patience: Duration,
        connect: impl Fn() -> ReadConnection + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            free: Mutex::new((0..connections).map(|_| connect()).collect()),
            canceller,
            connect: Box::new(connect),
        };
        Self { queue, long, shared: Arc::new(shared), slowest, patience }
    }

    /// Begins a read of a row or a few.
    pub(super) async fn begin(&self) -> Result<Read, StoreError> {
        self.take(None).await
    }

    /// Begins a read that may have to scan many rows.
    pub(super) async fn begin_long(&self) -> Result<Read, StoreError> {
        self.take(Some(self.long.enter().await?)).await
    }

    async fn take(&self, long: Option<OwnedSemaphorePermit>) -> Result<Read, StoreError> {
        let turn = self.queue.enter().await?;
        let connection = self.shared.lock().pop_front().expect("there is a connection for each who entered");
        let number = connection.session.begin();
        let timer = self.slowest.filter(|_| connection.db.get_database_backend() == DbBackend::Sqlite);
        let timer = timer.map(|slowest| {
            let session = connection.session.clone();
            tokio::spawn(async move {
                sleep(slowest).await;
                session.end(number);
            })
        });
        let taken = Taken { connection, _turns: (turn, long) };
        let patience = self.patience;
        Ok(Read { taken: Some(taken), number, timer, patience, shared: self.shared.clone() })
    }

    pub(super) fn observe(&mut self, observer: &Arc<dyn Fn(&Statement) + Send + Sync>) {
        for connection in self.shared.lock().iter_mut() {
            let observer = observer.clone();
            connection.db.set_metric_callback(move |info| observer(info.statement));
        }
    }

    /// Waits for those under way, and closes every connection.
    pub(super) async fn close(&self) {
        self.queue.close().await;
        let connections: Vec<ReadConnection> = self.shared.lock().drain(..).collect();
        for connection in connections {
            // Closing a pool has no way to fail.
            let _ = connection.db.close().await;
        }
        self.shared.canceller.close().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<ReadConnection>> {
        // Nothing that holds it can panic half way.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, taken: Taken) {
        let Taken { connection, _turns } = taken;
        // Before the turns end.
        self.lock().push_back(connection);
    }
}

/// A connection, and the right to it.
struct Taken {
    connection: ReadConnection,
    _turns: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

/// A read under way. Unless it is [`done`](Self::done), it was given up, and is broken off in the database.
pub(super) struct Read {
    /// There until it is done or dropped.
    taken: Option<Taken>,
    number: u64,
    timer: Option<JoinHandle<()>>,
    patience: Duration,
    shared: Arc<Shared>,
}

impl Read {
    /// The `answer`; `None` when the database owes it for too long.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        timeout(self.patience, answer).await.ok()
    }

    /// If the answer is whole, the connection is ready for another read.
    pub(super) fn done<T>(mut self, answer: Option<Result<T, StoreError>>) -> Result<T, StoreError> {
        let Some(answer) = answer else {
            return Err(StoreError::Unavailable(format!("no answer within {:?}", self.patience)));
        };
        if let Some(mut taken) = self.taken.take() {
            // The connection failed, or there is none to be had: its pool may still wait for one that died silently.
            if matches!(answer, Err(StoreError::Unavailable(_))) {
                taken.connection = (self.shared.connect)();
            }
            self.shared.give_back(taken);
        }
        answer
    }
}

impl Deref for Read {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.taken.as_ref().expect("it is there until the end").connection.db
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        // Without a runtime everything ends anyway.
        if let Some((taken, runtime)) = self.taken.take().zip(Handle::try_current().ok()) {
            runtime.spawn(clean(self.shared.clone(), taken, self.number));
        }
    }
}

/// Ends what runs on the connection, then returns it to its pool; a connection that does not recover is replaced.
async fn clean(shared: Arc<Shared>, mut taken: Taken, read: u64) {
    let ReadConnection { db, session } = &taken.connection;
    if !shared.canceller.cancel(db, session, read).await {
        // The pool that is dropped here closes its connection whenever that answers.
        taken.connection = (shared.connect)();
    }
    shared.give_back(taken);
}

impl fmt::Debug for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reads").field("queue", &self.queue).finish_non_exhaustive()
    }
}
