//! One read at a time for each key: all that miss it meanwhile get what the first of them reads.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use crate::ports::StoreError;

/// The reads that are under way.
pub(super) struct SingleFlight<K, T>(Mutex<HashMap<K, Arc<Read<T>>>>);

type Read<T> = OnceCell<Result<T, StoreError>>;

impl<K: Clone + Eq + Hash, T: Clone> SingleFlight<K, T> {
    /// What `read` brings, or what another caller's read that is under way brings. When the caller that reads gives up,
    /// another one that waits reads in its place.
    pub(super) async fn join<F>(&self, id: K, read: impl FnOnce() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let cell = self.lock().entry(id.clone()).or_default().clone();
        let waiter = Waiter { reads: self, id, cell };
        waiter.cell.get_or_init(read).await.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Read<T>>>> {
        // Nothing that holds it can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

/// A caller that waits for a read.
struct Waiter<'a, K: Clone + Eq + Hash, T: Clone> {
    reads: &'a SingleFlight<K, T>,
    id: K,
    cell: Arc<Read<T>>,
}

impl<K: Clone + Eq + Hash, T: Clone> Drop for Waiter<'_, K, T> {
    /// Removes the read from the list when it is done, or when nothing is left that waits for it.
    fn drop(&mut self) {
        let mut reads = self.reads.lock();
        let is_last = Arc::strong_count(&self.cell) <= 2;
        if (self.cell.initialized() || is_last)
            && reads.get(&self.id).is_some_and(|listed| Arc::ptr_eq(listed, &self.cell))
        {
            reads.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use domain::{id::KeyId, time::Timestamp};
    use tokio::sync::Semaphore;

    use super::*;

    fn id() -> KeyId {
        KeyId::new(Timestamp::from_micros(0), [1; 10])
    }

    #[tokio::test]
    async fn a_thousand_concurrent_misses_make_one_read() {
        let flight = Arc::new(SingleFlight::default());
        let reads = Arc::new(AtomicU32::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let (flight, reads, gate) = (flight.clone(), reads.clone(), gate.clone());
            tasks.spawn(async move {
                let read = || async {
                    reads.fetch_add(1, SeqCst);
                    let _pass = gate.acquire().await;
                    Ok(7)
                };
                flight.join(id(), read).await.unwrap()
            });
        }
        tokio::task::yield_now().await;
        gate.add_permits(1);
        assert_eq!(tasks.join_all().await, vec![7; 1000]);
        assert_eq!(reads.load(SeqCst), 1);
        assert!(flight.lock().is_empty());
    }

    #[tokio::test]
    async fn after_the_reader_is_dropped_another_reads() {
        let flight = SingleFlight::default();
        let mut first = Box::pin(flight.join(id(), std::future::pending));
        let mut second = Box::pin(flight.join(id(), || async { Ok(2) }));
        assert!(poll_once(first.as_mut()).await.is_none());
        assert!(poll_once(second.as_mut()).await.is_none());
        drop(first);
        assert_eq!(second.await.unwrap(), 2);
        assert!(flight.lock().is_empty());
    }

    #[tokio::test]
    async fn after_all_are_dropped_no_entry_is_left() {
        let flight = SingleFlight::<KeyId, u32>::default();
        let mut only = Box::pin(flight.join(id(), std::future::pending));
        assert!(poll_once(only.as_mut()).await.is_none());
        drop(only);
        assert!(flight.lock().is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_cached() {
        let flight = SingleFlight::<KeyId, u32>::default();
        let failed = || async { Err(StoreError::Unavailable("gone".into())) };
        assert!(flight.join(id(), failed).await.is_err());
        assert_eq!(flight.join(id(), || async { Ok(1) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn who_comes_later_joins_the_read_that_others_still_wait_for() {
        let flight = SingleFlight::default();
        let mut first = Box::pin(flight.join(id(), std::future::pending));
        let mut second = Box::pin(flight.join(id(), std::future::pending));
        assert!(poll_once(first.as_mut()).await.is_none());
        assert!(poll_once(second.as_mut()).await.is_none());
        drop(second);
        let mut third = Box::pin(flight.join(id(), || async { Ok(3) }));
        assert!(poll_once(third.as_mut()).await.is_none(), "it reads on its own");
    }

    /// Some who waited for it may not have run since.
    #[tokio::test]
    async fn a_read_that_is_done_is_joined_no_more() {
        let flight = SingleFlight::default();
        let gate = Semaphore::new(0);
        let read = || async {
            let _pass = gate.acquire().await;
            Ok(1)
        };
        let mut first = Box::pin(flight.join(id(), read));
        let mut slow = Box::pin(flight.join(id(), read));
        assert!(poll_once(first.as_mut()).await.is_none());
        assert!(poll_once(slow.as_mut()).await.is_none());
        gate.add_permits(1);
        assert_eq!(first.await.unwrap(), 1);
        let mut next = Box::pin(flight.join(id(), std::future::pending));
        assert!(poll_once(next.as_mut()).await.is_none(), "it joins what is done");
        assert_eq!(slow.await.unwrap(), 1);
        let mut last = Box::pin(flight.join(id(), || async { Ok(4) }));
        assert!(poll_once(last.as_mut()).await.is_none(), "the next read is no longer listed");
    }

    /// Polls once.
    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
