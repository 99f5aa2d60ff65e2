//! Batches reads: those that come close together share a query.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::id::KeyId;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    ports::{StoreError, load::LOADED_TOGETHER},
    schedule::Schedule,
};

/// Reads keys from the database.
///
/// A token bucket: each query takes a permit. A query that finds something gives it back; the permits of the others
/// come back one a tick. So in a flood of ids that no key has, the reads that come between two ticks share one query,
/// while a read in quiet times goes out at once.
pub(super) struct ReadBatcher<T>(Arc<Shared<T>>);

/// How long a query may take: longer than the follower of the change log waits before it reports the database as gone; but a
/// connection that died silently must not be under way for ever.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How many queries that find nothing may directly follow one another.
const BURST: u32 = 8;

/// How many queries there may be, and how fast they may follow one another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throttle {
    /// How many may be under way.
    concurrent: usize,
    /// How often a permit comes back.
    tick: Duration,
    /// How long one may take.
    timeout: Duration,
}

impl Throttle {
    pub(super) fn new(concurrent: usize) -> Self {
        Self {
            concurrent,
            // A wait that no caller notices, and a flood makes no more than 100 queries a second, unless they
            // are full.
            tick: Duration::from_millis(10),
            timeout: TIMEOUT,
        }
    }
}

struct Shared<T> {
    query: Box<Query<T>>,
    /// Whether a query found something.
    found: fn(&T) -> bool,
    throttle: Throttle,
    /// Each query holds one.
    queries: Arc<Semaphore>,
    state: Mutex<State<T>>,
}

type Query<T> =
    dyn Fn(Vec<KeyId>) -> Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>> + Send + Sync;

type Answer<T> = Result<Arc<T>, StoreError>;

struct State<T> {
    /// The reads for which no query went out yet, in the order in which they came.
    queued: BTreeMap<u64, Read<T>>,
    /// The number of the next read.
    next: u64,
    /// A query is about to go out, with all reads that come until it does.
    departing: bool,
    permits: u32,
    ticking: bool,
}

struct Read<T> {
    id: KeyId,
    answer: oneshot::Sender<Answer<T>>,
}

impl<T: Send + Sync + 'static> ReadBatcher<T> {
    pub(super) fn new<F>(
        throttle: Throttle,
        found: fn(&T) -> bool,
        query: impl Fn(Vec<KeyId>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let state =
            State { queued: BTreeMap::new(), next: 0, departing: false, permits: BURST, ticking: false };
        Self(Arc::new(Shared {
            query: Box::new(move |ids| Box::pin(query(ids))),
            found,
            throttle,
            queries: Arc::new(Semaphore::new(throttle.concurrent)),
            state: Mutex::new(state),
        }))
    }

    /// What a query brings that has `id` in it and begins after this call. The query continues when the caller
    /// gives up, since others wait for it.
    pub(super) async fn load(&self, id: KeyId) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let _queued = self.0.enqueue(Read { id, answer });
        answered.await.unwrap_or_else(|_| Err(cut_short()))
    }

    /// The right to make queries, for others that make some too.
    pub(super) fn queries(&self) -> Arc<Semaphore> {
        self.0.queries.clone()
    }

    /// Fails all reads for which no query went out yet.
    pub(super) fn refuse(&self, why: &StoreError) {
        for read in mem::take(&mut self.0.lock().queued).into_values() {
            read.finish(Err(why.clone()));
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn enqueue(self: &Arc<Self>, read: Read<T>) -> Queued<'_, T> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.queued.insert(number, read);
        self.send_if_due(&mut state);
        Queued { shared: self, number }
    }

    /// Sends a query if there are reads for it, and it need not wait.
    fn send_if_due(self: &Arc<Self>, state: &mut State<T>) {
        // A full query gains nothing by waiting.
        let due = !state.queued.is_empty() && state.permits > 0 || state.queued.len() >= LOADED_TOGETHER;
        if due && !state.departing {
            state.departing = true;
            // A caller that reads several keys has queued them all before the task runs.
            tokio::spawn(self.clone().send());
        }
    }

    async fn send(self: Arc<Self>) {
        let under_way = self.queries.clone().acquire_owned().await.expect("it is never closed");
        let reads = self.take();
        if reads.is_empty() {
            return;
        }
        let ids = reads.iter().map(|read| read.id).collect();
        let answer = timeout(self.throttle.timeout, (self.query)(ids)).await;
        drop(under_way);
        if let Ok(Ok(answer)) = &answer
            && (self.found)(answer)
        {
            self.return_permit();
        }
        let answer = answer.unwrap_or_else(|_| Err(too_slow())).map(Arc::new);
        for read in reads {
            read.finish(answer.clone());
        }
    }

    /// The reads that waited longest, as many as fit in the query that goes out now.
    fn take(self: &Arc<Self>) -> Vec<Read<T>> {
        let mut state = self.lock();
        state.departing = false;
        let mut reads = Vec::with_capacity(state.queued.len().min(LOADED_TOGETHER));
        while reads.len() < LOADED_TOGETHER
            && let Some((_, read)) = state.queued.pop_first()
        {
            reads.push(read);
        }
        // All callers may have given up.
        if reads.is_empty() {
            return reads;
        }
        state.permits = state.permits.saturating_sub(1);
        if !state.ticking {
            state.ticking = true;
            tokio::spawn(self.clone().tick());
        }
        self.send_if_due(&mut state);
        reads
    }

    /// Returns the permits, one a tick, until they are all there.
    async fn tick(self: Arc<Self>) {
        let mut ticks = Schedule::every(self.throttle.tick);
        // The first comes at once.
        ticks.next().await;
        loop {
            ticks.next().await;
            self.return_permit();
            if self.rest() {
                return;
            }
        }
    }

    /// Whether all permits are there, so that no tick is needed.
    fn rest(&self) -> bool {
        let mut state = self.lock();
        state.ticking = state.permits < BURST;
        !state.ticking
    }

    fn return_permit(self: &Arc<Self>) {
        let mut state = self.lock();
        state.permits = BURST.min(state.permits + 1);
        self.send_if_due(&mut state);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that holds it can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Read<T> {
    fn finish(self, answer: Answer<T>) {
        // The caller may have given up.
        let _ = self.answer.send(answer);
    }
}

/// A read as long as its caller waits.
struct Queued<'a, T> {
    shared: &'a Shared<T>,
    number: u64,
}

impl<T> Drop for Queued<'_, T> {
    /// A read whose caller gave up needs no query.
    fn drop(&mut self) {
        self.shared.lock().queued.remove(&self.number);
    }
}

pub(super) fn cut_short() -> StoreError {
    StoreError::Unavailable("it was cut short".into())
}

pub(super) fn too_slow() -> StoreError {
    StoreError::Unavailable("the database takes too long".into())
}

impl<T> fmt::Debug for ReadBatcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadBatcher")
    }
}
