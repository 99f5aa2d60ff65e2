//! Calls to one node after another, each with the credential, within the deadline, and retried once where that is safe.

use std::{sync::Arc, time::Duration};

use proto::verify_service_client::VerifyServiceClient;
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use crate::{authorized::Authorized, deadline::Deadline, error::Error, nodes::Nodes, retry::RetryBudget};

#[derive(Clone)]
pub(crate) struct Calls(Arc<Shared>);

struct Shared {
    nodes: Nodes,
    deadline: Duration,
    retries: RetryBudget,
}

/// One node, with the credential.
pub(crate) type Stub = VerifyServiceClient<Authorized>;

impl Calls {
    pub(crate) fn new(nodes: Nodes, deadline: Duration, retries: RetryBudget) -> Self {
        Self(Arc::new(Shared { nodes, deadline, retries }))
    }

    /// Sends `message`, and once more if Keystile was unavailable.
    pub(crate) async fn call<Q, A, F>(
        &self,
        message: Q,
        send: impl Fn(Stub, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Deadline::after(self.0.deadline);
        let attempt = async |message: Q| {
            let node = self.0.nodes.next();
            let mut request = Request::new(message);
            request.set_timeout(deadline.left());
            let sent = async { Ok(send(node.stub(), request).await?.into_inner()) };
            let outcome = deadline.bound(sent).await;
            node.record(&outcome);
            if outcome.is_ok() {
                self.0.retries.deposit();
            }
            outcome
        };
        let error = match attempt(message.clone()).await {
            Err(error) => error,
            answered => return answered,
        };
        match self.0.retries.retry(&error, deadline.left()) {
            Some(wait) => {
                sleep(wait).await;
                attempt(message).await
            }
            None => Err(error),
        }
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.0.nodes
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.deadline
    }

    pub(crate) fn retries(&self) -> &RetryBudget {
        &self.0.retries
    }
}
