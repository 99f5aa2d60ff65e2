//! What every resource has in common: the generic paths that change, store and show resources need no more than this.

use std::fmt::{self, Debug, Display};

use serde_json::Value;

use super::{Revision, id::ProjectId, time::Timestamp};

/// A kind of resource, by the words for several of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub &'static str);

impl Kind {
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

pub trait Resource: Debug + Clone + Send + Sync + 'static {
    const KIND: Kind;
    type Name: Debug + Display + Clone + Send + Sync;

    fn name(&self) -> Self::Name;

    /// The project whose audit trail shows its changes.
    fn project(&self) -> &ProjectId;

    /// The last change of it.
    fn revision(&self) -> Revision;

    /// It as the audit trail shows it: everything but secrets and digests.
    fn describe(&self) -> Value;
}

/// A time as the audit trail shows it.
pub(super) fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

/// A list as the audit trail shows it.
pub(super) fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_prints_as_words() {
        assert_eq!((Kind("keys").as_str(), Kind("keys").to_string().as_str()), ("keys", "keys"));
    }
}
