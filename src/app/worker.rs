//! Tasks in the background, and the order in which they are stopped.

use std::{future::Future, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::error;

/// A task that runs until its token is cancelled, which dropping the worker does too.
#[derive(Debug)]
pub(super) struct Worker<T> {
    name: &'static str,
    stop: DropGuard,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Worker<T> {
    pub(super) fn start<F>(name: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(stop.clone()));
        Self { name, stop: stop.drop_guard(), task }
    }

    /// Cancels its token, and waits for its end, at most for `patience`; `None` when it did not end in time, or panicked.
    pub(super) async fn stop(self, patience: Duration) -> Option<T> {
        drop(self.stop);
        match timeout(patience, self.task).await {
            Ok(Ok(end)) => Some(end),
            Ok(Err(failure)) => {
                error!(worker.name = self.name, error = %failure, "a background task failed");
                None
            }
            Err(_) => {
                error!(worker.name = self.name, "a background task did not stop in time");
                None
            }
        }
    }
}

/// When a worker is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the listeners.
    First,
    /// Once no call is under way.
    AfterCalls,
    /// Once no change is under way, nor a call.
    AfterChanges,
    /// Once everything is recorded.
    Last,
}

/// The workers of a server. Those of one stage are stopped in the order of their start.
#[derive(Debug, Default)]
pub(super) struct Workers(Vec<(Stage, Worker<()>)>);

impl Workers {
    pub(super) fn start<F>(
        &mut self,
        stage: Stage,
        name: &'static str,
        work: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.push((stage, Worker::start(name, work)));
    }

    /// Stops the workers of `stage`; each may take as long as `patience`.
    pub(super) async fn stop(&mut self, stage: Stage, patience: Duration) {
        for (_, worker) in self.0.extract_if(.., |(of, _)| *of == stage).collect::<Vec<_>>() {
            worker.stop(patience).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn a_worker_ends_when_its_token_is_cancelled() {
        let worker = Worker::start("test", |stop| async move {
            stop.cancelled().await;
            7
        });
        assert_eq!(worker.stop(Duration::from_secs(60)).await, Some(7));
    }

    #[tokio::test]
    async fn a_worker_that_ignores_its_token_is_left() {
        let worker = Worker::start("test", |_| std::future::pending::<()>());
        assert_eq!(worker.stop(Duration::ZERO).await, None);
    }

    #[tokio::test]
    async fn a_worker_that_is_dropped_is_stopped() {
        let (ended, end) = tokio::sync::oneshot::channel();
        let worker = Worker::start("test", |stop| async move {
            stop.cancelled().await;
            ended.send(()).unwrap();
        });
        drop(worker);
        end.await.unwrap();
    }

    #[tokio::test]
    async fn workers_stop_by_stage_and_then_in_the_order_of_their_start() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let mut workers = Workers::default();
        for (stage, name) in
            [(Stage::Last, "a"), (Stage::First, "b"), (Stage::AfterCalls, "c"), (Stage::AfterCalls, "d")]
        {
            let stopped = Arc::clone(&stopped);
            workers.start(stage, name, |stop| async move {
                stop.cancelled().await;
                stopped.lock().unwrap().push(name);
            });
        }
        for stage in [Stage::First, Stage::AfterCalls, Stage::AfterChanges, Stage::Last] {
            workers.stop(stage, Duration::from_secs(60)).await;
        }
        assert_eq!(*stopped.lock().unwrap(), ["b", "c", "d", "a"]);
    }
}
