//! What time brings: deletions are finished, deleted keys purged, old request ids forgotten.

use std::{collections::VecDeque, pin::Pin};

use domain::{removal::Removal, time::DAY};

use crate::{
    ports::{
        StoreError,
        cleanup::{RemovalAt, RemovalCursor},
    },
    verbs::{
        Error, Service,
        removal::{Progress, rest_after},
    },
};

/// How many removals are looked up at a time.
const REMOVALS: u64 = 100;

/// One round of housekeeping. Its tasks take turns, one portion at a time, so that a large one holds up no other.
#[derive(Debug)]
pub struct Round {
    tasks: VecDeque<Task>,
    purged: usize,
    removed: usize,
    skipped: usize,
}

#[derive(Debug)]
enum Task {
    ForgetRequests,
    /// Takes up the removals behind this position.
    FindRemovals(Option<RemovalCursor>),
    Remove(Removal, Progress),
    PurgeDue(Progress),
}

impl Default for Round {
    fn default() -> Self {
        let tasks = [Task::FindRemovals(None), Task::PurgeDue(Progress::default()), Task::ForgetRequests];
        Self { tasks: tasks.into(), purged: 0, removed: 0, skipped: 0 }
    }
}

impl Round {
    /// How many keys whose time had come are purged.
    pub fn purged(&self) -> usize {
        self.purged
    }

    /// How many keys have followed a deleted project or account, or lost a deleted role.
    pub fn removed(&self) -> usize {
        self.removed
    }

    /// How much could not be read or written: it is still there, and did not keep the rest from going.
    pub fn skipped(&self) -> usize {
        self.skipped
    }
}

impl Service {
    /// Continues `round` until it is done or `stop` resolves, and returns whether `stop` came first. It rests between
    /// portions; replicas may do this side by side.
    pub async fn keep_house<F>(&self, round: &mut Round, mut stop: Pin<&mut F>) -> Result<bool, Error>
    where
        F: Future<Output = ()> + Send,
    {
        while let Some(task) = round.tasks.pop_front() {
            let began = self.clock.uptime();
            self.take_turn(round, task).await?;
            let rest = rest_after(self.clock.uptime().saturating_sub(began));
            tokio::select! {
                biased;
                () = stop.as_mut() => return Ok(true),
                () = self.clock.sleep(rest) => {}
            }
        }
        Ok(false)
    }

    /// Does one portion of `task`, and queues what is left of it.
    async fn take_turn(&self, round: &mut Round, task: Task) -> Result<(), Error> {
        match task {
            Task::ForgetRequests => {
                if self.store.forget_requests(self.clock.now().before(DAY)).await? {
                    round.tasks.push_back(Task::ForgetRequests);
                }
            }
            Task::FindRemovals(after) => {
                let found = self.store.removals(after.as_ref(), REMOVALS).await?;
                let end = found.last().map(|it| it.cursor.clone());
                let all = (found.len() as u64) < REMOVALS;
                for RemovalAt { removal, .. } in found {
                    match removal {
                        Ok(removal) => round.tasks.push_back(Task::Remove(removal, Progress::default())),
                        Err(_) => round.skipped += 1,
                    }
                }
                if !all {
                    round.tasks.push_back(Task::FindRemovals(end));
                }
            }
            Task::Remove(removal, mut progress) => {
                let step = self.remove_portion(&removal, &mut progress).await;
                round.removed += std::mem::take(&mut progress.done);
                if has_more(step, &mut round.skipped)? {
                    round.tasks.push_back(Task::Remove(removal, progress));
                } else {
                    round.skipped += progress.skipped;
                }
            }
            Task::PurgeDue(mut progress) => {
                let step = self.purge_portion(&mut progress).await;
                round.purged += std::mem::take(&mut progress.done);
                if has_more(step, &mut round.skipped)? {
                    round.tasks.push_back(Task::PurgeDue(progress));
                } else {
                    round.skipped += progress.skipped;
                }
            }
        }
        Ok(())
    }
}

/// Whether the task has more to do after this `step`. Work that cannot be done is counted as `skipped`, and holds up no other.
fn has_more(step: Result<bool, Error>, skipped: &mut usize) -> Result<bool, Error> {
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
