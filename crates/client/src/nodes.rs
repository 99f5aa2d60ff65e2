//! The nodes of Keystile that are called in turn, without those that failed last.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proto::verify_service_client::VerifyServiceClient;

use crate::{authorized::Authorized, error::Error};

/// Every so many rounds each node is called, whether it failed or not.
const PROBE: usize = 16;

#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Box<[Node]>,
    turn: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Node {
    stub: VerifyServiceClient<Authorized>,
    /// The last call to it was not answered, or turned away.
    failing: AtomicBool,
}

impl Nodes {
    /// There must be one at least.
    pub(crate) fn new(channels: impl IntoIterator<Item = Authorized>) -> Self {
        let nodes = channels
            .into_iter()
            .map(|channel| Node { stub: VerifyServiceClient::new(channel), failing: AtomicBool::new(false) });
        Self { nodes: nodes.collect(), turn: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The next in turn that did not fail; if all did, the next.
    pub(crate) fn next(&self) -> &Node {
        let (count, turn) = (self.nodes.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let next = &self.nodes[turn % count];
        if (turn / count) % PROBE == PROBE - 1 {
            return next;
        }
        let mut after = (0..count).map(|step| &self.nodes[turn.wrapping_add(step) % count]);
        after.find(|node| !node.failing.load(Ordering::Relaxed)).unwrap_or(next)
    }
}

impl Node {
    pub(crate) fn stub(&self) -> VerifyServiceClient<Authorized> {
        self.stub.clone()
    }

    /// Records the outcome of a call to this node.
    pub(crate) fn record<T>(&self, outcome: &Result<T, Error>) {
        let failing = outcome.as_ref().is_err_and(Error::concerns_the_node);
        if self.failing.load(Ordering::Relaxed) != failing {
            self.failing.store(failing, Ordering::Relaxed);
        }
    }
}
