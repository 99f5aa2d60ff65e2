//! What a verification reads.

use std::{fmt::Debug, sync::Arc, time::Duration};

use domain::{Revision, candidate::Candidate, freshness::Stamp, id::KeyId};

use super::StoreError;

/// Keys as they are now, from wherever that is known soonest.
pub trait Credentials: Debug + Send + Sync + 'static {
    /// What is known of the key without asking anybody, at this uptime.
    fn at_hand(&self, id: KeyId, uptime: Duration) -> Option<Known>;

    fn candidate(&self, id: KeyId) -> impl Future<Output = Result<Known, StoreError>> + Send;

    /// Whether what was known with this stamp is still as it was: nothing that it was made of is known to have
    /// changed, and no change may have been missed for too long.
    fn is_current(&self, stamp: &Stamp, uptime: Duration) -> bool;

    /// Waits until no answer is older than `revision`, but no longer than `patience`, nor longer than it takes
    /// to find out that there is no such revision yet; the error is how far it is by then.
    fn reach(
        &self,
        revision: Revision,
        patience: Duration,
    ) -> impl Future<Output = Result<(), Revision>> + Send;
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct Known {
    pub candidate: Option<Arc<Candidate>>,
    /// All changes up to this one are in it.
    pub revision: Revision,
    /// How long ago it was known to be the newest state.
    pub age: Duration,
    /// The change log could not be followed of late.
    pub degraded: bool,
    pub stamp: Stamp,
}
