//! What is informed of a change before it is answered, and where changes of other nodes become known.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{Revision, audit::Head, freshness::Stamp};

#[async_trait]
pub trait Changes: Debug + Send + Sync + 'static {
    /// `target` changed, which made the log end with `head`; it is durable.
    fn made(&self, head: Head, target: &str);

    /// It is not known whether `targets` changed. If the database answers, nothing of them that was read before now is
    /// used any more.
    async fn doubtful(&self, targets: &[String]);

    /// Whether nothing is known to have changed that a value with this stamp depends on.
    fn is_unchanged(&self, stamp: &Stamp) -> bool;

    /// The newest revision up to which every change is known here.
    fn position(&self) -> Revision;

    /// Resolves once that is beyond `revision`.
    async fn beyond(&self, revision: Revision);

    /// How often the log was found to have gone backwards.
    fn rewinds(&self) -> Rewinds;
}

/// The log goes backwards when the database is restored, or fails over to a copy that lacks the last changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewinds {
    pub number: u64,
    /// The newest revision right after the last of them.
    pub to: Revision,
}

/// None, for a process that verifies nothing.
#[async_trait]
impl Changes for () {
    fn made(&self, _head: Head, _target: &str) {}

    async fn doubtful(&self, _targets: &[String]) {}

    fn is_unchanged(&self, _stamp: &Stamp) -> bool {
        true
    }

    fn position(&self) -> Revision {
        0
    }

    async fn beyond(&self, _revision: Revision) {
        std::future::pending().await
    }

    fn rewinds(&self) -> Rewinds {
        Rewinds::default()
    }
}
