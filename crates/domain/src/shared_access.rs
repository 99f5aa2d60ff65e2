//! What all keys of one profile may do, as this process knows it now.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use arc_swap::{ArcSwapOption, Guard};

use super::{access::Access, freshness::Stamp};

/// A change of a role replaces it for all keys of the profile at once.
#[derive(Default)]
pub struct SharedAccess(ArcSwapOption<KeyAccess>);

/// What keys may do, as it was read.
#[derive(Debug)]
pub struct KeyAccess {
    pub access: Access,
    /// What answers say of it, encoded.
    pub encoded: Box<[u8]>,
    pub stamp: Stamp,
    /// The uptime when the read began, in microseconds.
    pub loaded_at: u64,
    size: usize,
}

/// A reference that counts no references: many keys share one value, and counting would make the processor cores wait for
/// each other. To be held only as long as an answer takes, because a thread has few of them: see [`CurrentAccess::kept`].
pub struct CurrentAccess(Option<Guard<Option<Arc<KeyAccess>>>>);

impl SharedAccess {
    pub fn current(&self) -> CurrentAccess {
        CurrentAccess(Some(self.0.load()))
    }

    pub fn replace(&self, access: Arc<KeyAccess>) {
        self.0.store(Some(access));
    }
}

impl CurrentAccess {
    /// Of a key that nothing was granted to.
    pub const NONE: Self = Self(None);

    pub fn new(access: Arc<KeyAccess>) -> Self {
        Self(Some(Guard::from_inner(Some(access))))
    }

    /// The same, counted, to be held for any length of time.
    pub fn kept(self) -> Self {
        Self(self.0.map(|guard| Guard::from_inner(Guard::into_inner(guard))))
    }

    pub fn get(&self) -> Option<&Arc<KeyAccess>> {
        self.0.as_ref().and_then(|guard| guard.as_ref())
    }

    pub fn access(&self) -> &Access {
        self.get().map_or(Access::none(), |it| &it.access)
    }
}

impl KeyAccess {
    pub fn new(access: Access, encoded: Box<[u8]>, stamp: Stamp, loaded_at: u64) -> Self {
        let size = size_of::<Self>() + access.size() + encoded.len();
        Self { access, encoded, stamp, loaded_at, size }
    }

    /// The bytes that it takes in memory.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Clone for CurrentAccess {
    fn clone(&self) -> Self {
        Self(self.0.as_deref().map(|access| Guard::from_inner(access.clone())))
    }
}

impl Debug for SharedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAccess")
    }
}

impl Debug for CurrentAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentAccess").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freshness::{Freshness, Point};

    #[test]
    fn what_is_held_stays_when_it_is_replaced() {
        let freshness = Freshness::new(1, 0);
        let access = |permission: &str| {
            let direct = [permission.parse().unwrap()];
            let stamp = freshness.stamp(Point::new(freshness.era(), 1), &[]);
            let access = Access::new([], &direct);
            Arc::new(KeyAccess::new(access, Box::default(), stamp, 0))
        };
        let shared = SharedAccess::default();
        assert!(shared.current().get().is_none());
        shared.replace(access("a"));
        let (held, copy) = (shared.current(), shared.current().clone());
        shared.replace(access("b"));
        assert!(held.access().allows("a") && copy.access().allows("a"));
        assert!(shared.current().access().allows("b"));
        assert!(!CurrentAccess::NONE.access().allows("a"));
    }
}
