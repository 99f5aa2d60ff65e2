//! What the cache makes of changes that this node commits.

use std::{sync::PoisonError, time::Duration};

use async_trait::async_trait;
use domain::{Revision, audit::Head, changed::Changed, freshness::Stamp};
use tokio::time::timeout;

use crate::ports::{Changes, changes::Rewinds};

use super::{Cache, history::Fit};

/// How long the database may take to report the outcome of a change: a caller is waiting.
const DOUBT_FOR: Duration = Duration::from_secs(1);

#[async_trait]
impl Changes for Cache {
    fn made(&self, head: Head, target: &str) {
        // A revision that another change had before proves that the log went backwards. A revision whose hash is
        // forgotten may have been another's too.
        if self.history().note(head) != Fit::Fits {
            self.freshness.begin_era();
        }
        self.freshness.made(head.revision, &Changed::by_name(target));
        self.poll_requested.notify_one();
    }

    /// If the change is in the log by now, the head covers it. If it comes later, the follower finds it, as it finds the
    /// changes of other nodes; and while the database does not answer, the bound on staleness holds for it as for those.
    async fn doubtful(&self, targets: &[String]) {
        self.poll_requested.notify_one();
        if let Ok(Ok(head)) = timeout(DOUBT_FOR, self.store.head_for_verifications()).await {
            for target in targets {
                self.made(head, target);
            }
        }
    }

    fn is_unchanged(&self, stamp: &Stamp) -> bool {
        self.freshness.is_current(stamp)
    }

    fn position(&self) -> Revision {
        self.position.point().revision()
    }

    async fn beyond(&self, revision: Revision) {
        self.position.beyond(revision).await;
    }

    fn rewinds(&self) -> Rewinds {
        *self.rewinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
