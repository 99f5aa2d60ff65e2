//! Values that were read at different points: whether what they say together was ever true.
//!
//! A current value is right from the point at which it was read up to the position, because every change up to there is
//! known. Beyond the position it is right only at its own point: this node may not know a change that came between, of
//! this value or of another.

use std::{sync::Arc, time::Duration};

use domain::{
    freshness::Point,
    shared_access::{CurrentAccess, KeyAccess},
};

use crate::ports::{StoreError, credentials::Snapshot};

use super::{
    Cache, age,
    entry::Entry,
    reading::{LOADS, gone},
};

/// Whether values that are all current at `position` were true at one point; they were read from `oldest` to `newest`.
pub(super) fn all_true(oldest: Point, newest: Point, position: Point) -> bool {
    newest <= position || oldest == newest
}

/// Whether `entry` and `access`, both current at `position`, were true at one point.
pub(super) fn were_true(entry: &Entry, access: &CurrentAccess, position: Point) -> bool {
    points(entry, access).is_none_or(|[oldest, newest]| all_true(oldest, newest, position))
}

/// `access`, unless it depends on no role, so that it is right at any point.
pub(super) fn dependent(access: &CurrentAccess) -> Option<&Arc<KeyAccess>> {
    access.get().filter(|access| access.stamp.depends_on_any())
}

/// When they were read, first the older; `None` if the access does not matter.
fn points(entry: &Entry, access: &CurrentAccess) -> Option<[Point; 2]> {
    let (entry, access) = (entry.stamp.point(), dependent(access)?.stamp.point());
    Some([entry.min(access), entry.max(access)])
}

/// When the older of the two was read.
pub(super) fn loaded_at(entry: &Entry, access: &CurrentAccess) -> u64 {
    dependent(access).map_or(entry.loaded_at, |access| access.loaded_at.min(entry.loaded_at))
}

impl Cache {
    /// What `entry` and `access` say together, which were read when the log was known up to `position`; `None` if one of
    /// them changed after the other was read.
    pub(super) async fn put_together(
        &self,
        entry: Entry,
        access: CurrentAccess,
        position: Point,
    ) -> Result<Option<Snapshot>, StoreError> {
        let points = points(&entry, &access);
        let one_point = points.is_none_or(|[oldest, newest]| oldest == newest);
        if let Some([_, newest]) = points
            && !one_point
        {
            self.follow_to(newest).await?;
        }
        // Before they are checked, so that neither changed up to it.
        let reached = self.position.point();
        let check = self.check(self.uptime());
        let is_current = self.is_current(&entry)
            && access.get().is_none_or(|access| self.freshness.is_current(&access.stamp));
        if !is_current && !one_point {
            return Ok(None);
        }
        let loaded_at = loaded_at(&entry, &access);
        // Only what is still current is as new as the last confirmation.
        let (position, age): (Point, Duration) = if is_current {
            (reached, check.age(loaded_at))
        } else {
            (position, age(loaded_at, check.uptime))
        };
        Ok(Some(Self::snapshot(entry, access, position, age)))
    }

    /// Polls the log, unless it was followed to `point`, which a read has found in it. All that wait for it share the poll.
    async fn follow_to(&self, point: Point) -> Result<(), StoreError> {
        for _ in 0..LOADS {
            if self.position.point() >= point {
                return Ok(());
            }
            if self.is_down() {
                return Err(gone());
            }
            // One that is under way may have begun too early.
            self.poll_in_flight.join((), || self.catch_up()).await?;
        }
        Err(self.behind())
    }
}
