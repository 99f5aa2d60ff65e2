//! The two gRPC listeners, each served by a task.

use std::{future::Future, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use crate::grpc;

use super::ServeError;

/// How a listener's task ended.
type End = Result<(&'static str, Result<(), grpc::ServeError>), JoinError>;

#[derive(Debug)]
pub(super) struct Servers {
    tasks: JoinSet<(&'static str, Result<(), grpc::ServeError>)>,
    stop: DropGuard,
}

impl Servers {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), stop: stop.drop_guard() }
    }

    pub(super) fn spawn(
        &mut self,
        listener: &'static str,
        server: impl Future<Output = Result<(), grpc::ServeError>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (listener, server.await) });
    }

    /// Resolves when a listener ends, which none does before the stop unless it failed.
    pub(super) async fn failure(&mut self) -> ServeError {
        match self.tasks.join_next().await {
            Some(Ok((listener, Err(source)))) => ServeError::Listener { listener, source },
            Some(Ok((listener, Ok(())))) => ServeError::Ended { listener },
            Some(Err(failure)) => ServeError::Broken(failure),
            None => std::future::pending().await,
        }
    }

    /// Accepts no more calls, and waits for those under way until the `deadline`. Answers whether all of them ended.
    pub(super) async fn drain(self, deadline: Duration) -> bool {
        let Self { mut tasks, stop } = self;
        drop(stop);
        let ends = async {
            while let Some(end) = tasks.join_next().await {
                log_failure(end);
            }
        };
        let drained = timeout(deadline, ends).await.is_ok();
        if !drained {
            warn!("the drain deadline has passed: calls under way are aborted");
            tasks.shutdown().await;
        }
        drained
    }
}

fn log_failure(end: End) {
    match end {
        Ok((_, Ok(()))) => {}
        Ok((listener, Err(failure))) => {
            error!(listener.name = listener, error = %failure, "a listener failed during the stop");
        }
        Err(failure) => error!(error = %failure, "a listener failed during the stop"),
    }
}
