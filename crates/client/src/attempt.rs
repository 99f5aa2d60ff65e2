//! One attempt at a node, whose outcome is recorded even if the caller drops it.

use crate::{deadline::Deadline, error::Error, nodes::Node};

pub(crate) struct Attempt<'a> {
    node: &'a Node,
    /// From then on a caller that is gone has waited for an answer, and not just changed its mind.
    late: Deadline,
    ended: bool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn begin(node: &'a Node, deadline: Deadline) -> Self {
        Self { node, late: Deadline::after(deadline.left() / 2), ended: false }
    }

    pub(crate) fn end<T>(mut self, outcome: &Result<T, Error>) {
        self.ended = true;
        self.node.record(outcome);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended && self.late.left().is_zero() {
            self.node.record(&Err::<(), _>(Error::deadline()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::nodes::tests::nodes;

    #[tokio::test]
    async fn an_attempt_dropped_after_the_threshold_counts_as_unanswered() {
        let nodes = nodes(2);
        let node = nodes.next().node;
        drop(Attempt::begin(node, Deadline::after(Duration::from_secs(60))));
        assert!(!node.is_failing());
        drop(Attempt::begin(node, Deadline::after(Duration::ZERO)));
        assert!(node.is_failing());
        Attempt::begin(node, Deadline::after(Duration::ZERO)).end(&Ok(()));
        assert!(!node.is_failing());
    }
}
