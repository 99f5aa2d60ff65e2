//! Calls to one node after another, each with the credential, within the deadline, and retried once where that is safe.

use std::{ptr, sync::Arc, time::Duration};

use proto::verify_service_client::VerifyServiceClient;
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use crate::{
    attempt::Attempt,
    authorized::Authorized,
    deadline::Deadline,
    error::Error,
    nodes::{Node, Nodes, Turn},
    retry::{self, RetryBudget},
};

/// The part of the deadline that probing a node may take.
pub(crate) const PROBE_PART: u32 = 4;

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
        let Turn { node, probes } = self.0.nodes.next();
        // A node that is probed must leave time for another one.
        let limit = if probes { Deadline::after(self.0.deadline / PROBE_PART) } else { deadline };
        let error = match self.attempt(node, limit, message.clone(), &send).await {
            Err(error) => error,
            answered => return answered,
        };
        let second = self.0.nodes.instead_of(node);
        let elsewhere = !ptr::eq(second, node);
        let wait = retry::wait(&error, elsewhere);
        if wait >= deadline.left() {
            return Err(error);
        }
        // Probes are few, and not what the budget is for.
        let probed_in_vain = probes && error.concerns_the_node();
        let retried = probed_in_vain || (error.is_transient() && self.0.retries.withdraw());
        if !retried {
            return Err(error);
        }
        if !wait.is_zero() {
            sleep(wait).await;
        }
        self.attempt(second, deadline, message, &send).await
    }

    async fn attempt<Q, A, F>(
        &self,
        node: &Node,
        deadline: Deadline,
        message: Q,
        send: impl Fn(Stub, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = Request::new(message);
        request.set_timeout(deadline.left());
        let attempt = Attempt::begin(node, deadline);
        let sent = async { Ok(send(node.stub(), request).await?.into_inner()) };
        let outcome = deadline.bound(sent).await;
        attempt.end(&outcome);
        if outcome.is_ok() {
            self.0.retries.deposit();
        }
        outcome
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.0.nodes
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.deadline
    }
}
