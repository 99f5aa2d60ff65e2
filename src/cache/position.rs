//! How far the change log was followed, and when that was last confirmed to be all of it.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release, SeqCst},
    },
    time::Duration,
};

use domain::{Revision, freshness::Point};
use tokio::{sync::watch, time::timeout};

pub(super) struct Position {
    /// A [`Point`].
    point: AtomicU64,
    /// Its revision, for those who wait for it to move.
    revision: watch::Sender<Revision>,
    /// The uptime, in microseconds, at which it was confirmed to be the end of the log.
    confirmed: AtomicU64,
    /// How many polls of the log have begun.
    begun: AtomicU64,
    /// The number of the last poll that reached the end of the log.
    finished: watch::Sender<u64>,
}

/// A poll of the change log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poll(u64);

impl Position {
    /// At `point`, which was the end of the log at the uptime `confirmed`.
    pub(super) fn new(point: Point, confirmed: u64) -> Self {
        Self {
            point: AtomicU64::new(point.bits()),
            revision: watch::Sender::new(point.revision()),
            confirmed: AtomicU64::new(confirmed),
            begun: AtomicU64::new(0),
            finished: watch::Sender::new(0),
        }
    }

    pub(super) fn point(&self) -> Point {
        Point::from_bits(self.point.load(SeqCst))
    }

    pub(super) fn move_to(&self, point: Point) {
        self.point.fetch_max(point.bits(), SeqCst);
        self.revision.send_if_modified(|revision| std::mem::replace(revision, point.revision()) != *revision);
    }

    /// The uptime, in microseconds, up to which all changes are known.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.load(Acquire)
    }

    pub(super) fn begin_poll(&self) -> Poll {
        Poll(self.begun.fetch_add(1, SeqCst) + 1)
    }

    /// The poll reached the end of the log as it was at the uptime `asked`.
    pub(super) fn finish_poll(&self, Poll(number): Poll, asked: u64) {
        // After all changes up to then are known.
        self.confirmed.fetch_max(asked, Release);
        self.finished.send_replace(number);
    }

    /// Waits until the position is at `revision` or beyond. If it is not, requests a poll; gives up when a poll that
    /// began since has ended without that revision, or `patience` is over. The error is the revision reached by then.
    pub(super) async fn reach(
        &self,
        revision: Revision,
        patience: Duration,
        request_poll: impl FnOnce(),
    ) -> Result<(), Revision> {
        let (mut moved, mut finished) = (self.revision.subscribe(), self.finished.subscribe());
        if *moved.borrow() >= revision {
            return Ok(());
        }
        // A poll that begins from here on finds every revision that the caller can know.
        let begun = self.begun.load(SeqCst);
        request_poll();
        // The answer is the same whether the time is over or the poll has found no such revision.
        let _ = timeout(patience, async {
            tokio::select! {
                _ = moved.wait_for(|position| *position >= revision) => {}
                _ = finished.wait_for(|poll| *poll > begun) => {}
            }
        })
        .await;
        let position = self.point().revision();
        if position >= revision { Ok(()) } else { Err(position) }
    }

    /// Resolves once the position is beyond `revision`.
    pub(super) async fn beyond(&self, revision: Revision) {
        // The sender lives as long as `self`, so this does not fail.
        let _ = self.revision.subscribe().wait_for(|position| *position > revision).await;
    }
}
