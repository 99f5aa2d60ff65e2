//! Tasks in the background, each with the word that ends it.

use std::{future::Future, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::error;

/// A task that runs until it is told to stop.
#[derive(Debug)]
pub(super) struct Worker<T> {
    name: &'static str,
    stopper: Stopper,
    task: JoinHandle<T>,
}

/// Says "stop" to all who wait for it; dropped unsaid, it counts as said.
#[derive(Debug)]
pub(super) struct Stopper(watch::Sender<bool>);

/// Waits for it.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl<T: Send + 'static> Worker<T> {
    pub(super) fn start<F>(name: &'static str, work: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (stopper, stop) = Stopper::new();
        Self { name, stopper, task: tokio::spawn(work(stop)) }
    }

    /// Tells it to stop, and waits until it has, at most for `patience`; `None` when it did not.
    pub(super) async fn end(self, patience: Duration) -> Option<T> {
        self.stopper.stop();
        match timeout(patience, self.task).await {
            Ok(Ok(end)) => Some(end),
            Ok(Err(failure)) => {
                error!(worker.name = self.name, error = %failure, "a worker failed");
                None
            }
            Err(_) => {
                error!(worker.name = self.name, "a worker did not stop in time");
                None
            }
        }
    }
}

impl Stopper {
    pub(super) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    pub(super) async fn told(mut self) {
        // An error means that the stopper is gone.
        let _ = self.0.wait_for(|told| *told).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_ends_when_told() {
        let worker = Worker::start("test", |stop| async {
            stop.told().await;
            7
        });
        assert_eq!(worker.end(Duration::from_secs(60)).await, Some(7));
    }

    #[tokio::test]
    async fn a_worker_that_does_not_listen_is_left() {
        let worker = Worker::start("test", |_| std::future::pending::<()>());
        assert_eq!(worker.end(Duration::ZERO).await, None);
    }

    #[tokio::test]
    async fn a_stopper_that_is_gone_has_said_it() {
        let (stopper, stop) = Stopper::new();
        drop(stopper);
        stop.told().await;
    }
}
