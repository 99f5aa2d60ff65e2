//! The newest change that was answered, by which a database is found out that lost it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::domain::audit::Head;

#[derive(Debug, Default)]
pub(super) struct Answered {
    newest: Mutex<Option<Head>>,
    losses: AtomicU64,
}

impl Answered {
    /// Notes a change that the database confirmed, before it is answered.
    pub(super) fn note(&self, head: Head) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.is_none_or(|newest| newest.revision < head.revision) {
            *newest = Some(head);
        }
    }

    /// Compares it with the `head` that the database has. The database's truth is what counts from here on.
    pub(super) fn compare(&self, head: Head) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answered) = *newest else { return };
        if head.revision > answered.revision || head == answered {
            return;
        }
        *newest = Some(head);
        self.losses.fetch_add(1, Relaxed);
        tracing::error!(
            revision.answered = answered.revision,
            revision.found = head.revision,
            "the database lost changes that were answered: its log is behind, or has another change in their \
             place; was it restored, or did a replica take over that lacked them?"
        );
    }

    /// How often changes were found lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Relaxed)
    }
}
