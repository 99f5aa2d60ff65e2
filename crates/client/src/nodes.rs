//! The nodes of Keystile that are called in turn, without those that failed last.

use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

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

/// The node of a first attempt.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) node: &'a Node,
    /// It failed last and another did not: it is called to see whether it answers again.
    pub(crate) probes: bool,
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
    pub(crate) fn next(&self) -> Turn<'_> {
        let (count, turn) = (self.nodes.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let next = &self.nodes[turn % count];
        let mut after = (0..count).map(|step| &self.nodes[turn.wrapping_add(step) % count]);
        let answering = after.find(|node| !node.is_failing()).unwrap_or(next);
        if (turn / count) % PROBE == PROBE - 1 {
            return Turn { node: next, probes: !ptr::eq(next, answering) };
        }
        Turn { node: answering, probes: false }
    }

    /// The node of a second attempt: another one that did not fail. Without such a one, `tried` again, unless it
    /// failed too.
    pub(crate) fn instead_of<'a>(&'a self, tried: &'a Node) -> &'a Node {
        let at = self.nodes.iter().position(|node| ptr::eq(node, tried)).unwrap_or_default();
        let (before, after) = self.nodes.split_at(at);
        let mut others = after.iter().skip(1).chain(before);
        let answering = others.clone().find(|node| !node.is_failing());
        let failing = || others.next().filter(|_| tried.is_failing());
        answering.or_else(failing).unwrap_or(tried)
    }
}

impl Node {
    pub(crate) fn stub(&self) -> VerifyServiceClient<Authorized> {
        self.stub.clone()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Records the outcome of a call to this node.
    pub(crate) fn record<T>(&self, outcome: &Result<T, Error>) {
        let failing = outcome.as_ref().is_err_and(Error::concerns_the_node);
        if self.is_failing() != failing {
            self.failing.store(failing, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tonic::transport::Endpoint;

    use super::*;
    use crate::credential::Credential;

    pub(crate) fn nodes(count: usize) -> Nodes {
        let authorization = Credential::new("key").unwrap().authorization().clone();
        let channel = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        Nodes::new((0..count).map(|_| Authorized::new(channel.clone(), authorization.clone())))
    }

    fn fail(node: &Node) {
        node.record(&Err::<(), _>(Error::deadline()));
    }

    #[tokio::test]
    async fn a_retry_goes_to_another_node_that_answers() {
        let nodes = nodes(3);
        let [first, second, third] = &*nodes.nodes else { unreachable!() };
        assert!(ptr::eq(nodes.instead_of(first), second));
        fail(second);
        for _ in 0..100 {
            assert!(ptr::eq(nodes.instead_of(first), third));
            assert!(ptr::eq(nodes.instead_of(third), first));
        }
        fail(third);
        assert!(ptr::eq(nodes.instead_of(first), first), "no other one answers");
        fail(first);
        assert!(ptr::eq(nodes.instead_of(first), second), "none answers");
    }

    #[tokio::test]
    async fn the_only_node_is_tried_again() {
        let nodes = nodes(1);
        fail(&nodes.nodes[0]);
        assert!(ptr::eq(nodes.instead_of(&nodes.nodes[0]), &nodes.nodes[0]));
        assert!((0..100).all(|_| !nodes.next().probes));
    }

    #[tokio::test]
    async fn a_node_that_failed_is_only_probed() {
        let nodes = nodes(2);
        fail(&nodes.nodes[0]);
        for turn in (0..200).map(|_| nodes.next()) {
            assert_eq!(turn.probes, ptr::eq(turn.node, &nodes.nodes[0]));
        }
        assert!((0..200).any(|_| nodes.next().probes));
    }
}
