//! Who must know of a change before it is answered.

use std::fmt::Debug;

use crate::domain::Revision;

pub trait Changes: Debug + Send + Sync + 'static {
    /// `target` changed with `revision`, which is durable.
    fn made(&self, revision: Revision, target: &str);
}
