//! One secret of a credential: its digest, and what this process remembers of it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::{
    digest::{Digest, PepperVersion},
    key::StoredSecret,
    mark::{Mark, ProvenMark},
    time::Timestamp,
};

#[derive(Debug)]
pub struct CredentialSecret {
    pub version: i32,
    pub pepper: PepperVersion,
    pub(super) digest: Digest,
    /// The time of the last use, in microseconds; 0 when nothing is to be recorded.
    last_use: AtomicI64,
    mark: ProvenMark,
}

/// Uses that are closer together than this count as one, in microseconds, so that threads that verify the same keys
/// do not write to the same memory each time.
const SAME_USE: i64 = 100_000;

impl CredentialSecret {
    pub(super) fn new(secret: &StoredSecret) -> Self {
        Self {
            version: secret.version,
            pepper: secret.pepper,
            digest: secret.digest,
            last_use: AtomicI64::new(0),
            mark: ProvenMark::default(),
        }
    }

    /// Remembers the mark of a text that proved it.
    pub(crate) fn remember(&self, mark: Mark) {
        self.mark.set(mark);
    }

    /// Whether a text with this mark proved it before.
    pub(super) fn was_proven_by(&self, mark: Mark) -> bool {
        self.mark.is(mark)
    }

    /// Notes a use. `true` for the first since the last [`take_use`](Self::take_use): then the recorder must be notified of
    /// it, which takes this use and those that follow.
    pub fn note_use(&self, time: Timestamp) -> bool {
        let noted = self.last_use.load(Relaxed);
        if noted != 0 && time.as_micros() < noted.saturating_add(SAME_USE) {
            return false;
        }
        self.last_use.fetch_max(time.as_micros(), Relaxed) == 0
    }

    /// The latest use, once.
    pub fn take_use(&self) -> Option<Timestamp> {
        Some(self.last_use.swap(0, Relaxed)).filter(|time| *time != 0).map(Timestamp::from_micros)
    }
}
