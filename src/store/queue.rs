//! A bounded queue in front of connections: a caller that waits in it holds none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::warn;

use crate::ports::StoreError;

#[derive(Debug)]
pub(super) struct Queue {
    permits: Arc<Semaphore>,
    /// How many may have a permit at a time.
    size: u32,
    /// What waits, for the log.
    what: &'static str,
    /// How many may wait; the next is refused at once.
    most: usize,
    waiting: AtomicUsize,
    /// How long one may wait.
    patience: Duration,
    /// Whether it has refused work since it was last empty.
    overloaded: AtomicBool,
}

/// Enough for bursts of some hundreds of calls; more wait longer than their callers do.
const MOST_WAITING: usize = 512;

impl Queue {
    /// Refuses the many.
    pub(super) fn bounded(size: u32, what: &'static str, patience: Duration) -> Self {
        Self { most: MOST_WAITING, ..Self::unbounded(size, what, patience) }
    }

    /// For those whose number is bounded elsewhere.
    pub(super) fn unbounded(size: u32, what: &'static str, patience: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
            what,
            most: usize::MAX,
            waiting: AtomicUsize::new(0),
            patience,
            overloaded: AtomicBool::new(false),
        }
    }

    /// Waits for a permit, in the order of arrival.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::new(self)?;
        let entered = timeout(self.patience, self.permits.clone().acquire_owned()).await;
        drop(waiting);
        match entered {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(StoreError::Unavailable("it is closed".into())),
            Err(_) => Err(self.refusal(format!("none ended within {:?}", self.patience))),
        }
    }

    /// Waits until every permit is free, and gives out none from now on.
    pub(super) async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.permits.acquire_many(self.size).await;
        self.permits.close();
    }

    fn refusal(&self, why: String) -> StoreError {
        if self.most == usize::MAX {
            return StoreError::Unavailable(format!("no connection is free: {why}"));
        }
        if !self.overloaded.swap(true, Relaxed) {
            warn!(queue.of = self.what, queue.why = why, "overloaded: calls are refused");
        }
        StoreError::Overloaded(format!("{}: {why}", self.what))
    }
}

/// One who waits.
struct Waiting<'a>(&'a Queue);

impl<'a> Waiting<'a> {
    fn new(queue: &'a Queue) -> Result<Self, StoreError> {
        let before = queue.waiting.fetch_add(1, Relaxed);
        let waiting = Self(queue);
        if before >= queue.most {
            return Err(queue.refusal(format!("{} are waiting already", queue.most)));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Relaxed) == 1 {
            self.0.overloaded.store(false, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn queue(most: usize) -> Queue {
        Queue { most, ..Queue::bounded(1, "tests", PATIENCE) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_beyond_the_queue_is_refused_at_once() {
        let queue = queue(2);
        let permit = queue.enter().await.unwrap();
        let mut waiting = [Box::pin(queue.enter()), Box::pin(queue.enter())];
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert!(
            matches!(queue.enter().await, Err(StoreError::Overloaded(why)) if why.contains("2 are waiting"))
        );
        let [first, second] = waiting;
        drop(second);
        let mut third = Box::pin(queue.enter());
        assert!(futures_util::poll!(&mut third).is_pending(), "the queue has room again");
        drop(permit);
        drop(first.await.unwrap());
        drop(third.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_turn_times_out() {
        let queue = queue(2);
        let _permit = queue.enter().await.unwrap();
        assert!(matches!(queue.enter().await, Err(StoreError::Overloaded(why)) if why.contains("5s")));
        assert_eq!(queue.waiting.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn a_closed_queue_admits_no_change() {
        let queue = queue(2);
        drop(queue.enter().await.unwrap());
        queue.close().await;
        assert!(matches!(queue.enter().await, Err(StoreError::Unavailable(_))));
    }
}
