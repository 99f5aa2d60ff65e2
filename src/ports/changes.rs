//! Who must know of a change before it is answered.

use std::fmt::Debug;

use crate::domain::Revision;

pub trait Changes: Debug + Send + Sync + 'static {
    /// `target` changed with `revision`, which is durable.
    fn made(&self, revision: Revision, target: &str);
}

/// Nobody, for a process that verifies nothing.
impl Changes for () {
    fn made(&self, _revision: Revision, _target: &str) {}
}
