//! What time brings: deletions are finished, deleted keys purged, old request ids forgotten.

use crate::{
    domain::{removal::Removal, time::DAY},
    ports::StoreError,
    service::{Error, Service, removal::Progress},
};

/// How many removals one round takes up at most.
const REMOVALS: u64 = 100;

/// One round of housekeeping, in steps, so that a stop need not wait for all of it.
#[derive(Debug, Default)]
pub struct Round {
    begun: bool,
    removals: Vec<(Removal, Progress)>,
    due: Progress,
    /// All else is done.
    forgetting: bool,
    removed: usize,
    skipped: usize,
}

impl Round {
    /// How many keys whose time had come are purged.
    pub fn purged(&self) -> usize {
        self.due.done
    }

    /// How many keys have followed a deleted project or account.
    pub fn removed(&self) -> usize {
        self.removed
    }

    /// How much could not be read or written: it is still there, and did not keep the rest from going.
    pub fn skipped(&self) -> usize {
        self.skipped + self.due.skipped
    }
}

impl Service {
    /// Takes the next step of `round`, and says whether there may be more; replicas may do this side by side.
    pub async fn keep_house(&self, round: &mut Round) -> Result<bool, Error> {
        if !round.begun {
            for removal in self.store.removals(REMOVALS).await? {
                match removal {
                    Ok(removal) => round.removals.push((removal, Progress::default())),
                    Err(_) => round.skipped += 1,
                }
            }
            round.begun = true;
        }
        if let Some((removal, progress)) = round.removals.last_mut() {
            let step = self.remove_portion(removal, progress).await;
            if !goes_on(step, &mut round.skipped)? {
                round.removed += progress.done;
                round.skipped += progress.skipped;
                round.removals.pop();
            }
            return Ok(true);
        }
        if !round.forgetting {
            let step = self.purge_portion(&mut round.due).await;
            round.forgetting = !goes_on(step, &mut round.skipped)?;
            return Ok(true);
        }
        Ok(self.store.forget_requests(self.clock.now().before(DAY)).await?)
    }
}

/// Whether there is more after this `step`: what cannot be done is `skipped`, and stands in nobody's way.
fn goes_on(step: Result<bool, Error>, skipped: &mut usize) -> Result<bool, Error> {
    match step {
        // Another replica is at it.
        Err(Error::Conflict { .. }) => Ok(false),
        Err(Error::Store(StoreError::Broken(_))) => {
            *skipped += 1;
            Ok(false)
        }
        step => step,
    }
}
