//! A store whose commits, and the reads after them, can be made to fail or wait.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use domain::audit::Head;
use keystile::ports::{StoreError, commits::CommitError};
use tokio::sync::{Semaphore, watch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    Answered,
    /// The next one is not made until this changes; those that come meanwhile are.
    NextWaits,
    /// One waits, and the others are made.
    OneWaits,
    /// Made, but not answered until this changes.
    Held,
    /// Made, after which all reads fail until this changes.
    ThenDown,
    /// Made, but the answer is lost.
    Unknown,
    /// Not made, and the answer is lost.
    Lost,
    Panic,
}

#[derive(Debug)]
pub(crate) struct Gate {
    commits: watch::Sender<Commits>,
    /// How many changes were made.
    made: watch::Sender<usize>,
    down: AtomicBool,
    /// How many reads of named roles may begin or end.
    role_steps: Semaphore,
    /// How many of them have waited to begin or end.
    role_steps_reached: watch::Sender<usize>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            commits: watch::Sender::new(Commits::Answered),
            made: watch::Sender::new(0),
            down: AtomicBool::new(false),
            role_steps: Semaphore::new(Semaphore::MAX_PERMITS),
            role_steps_reached: watch::Sender::new(0),
        }
    }

    pub(crate) fn set(&self, commits: Commits) {
        self.down.store(false, SeqCst);
        self.commits.send_replace(commits);
    }

    /// How many changes were made, ever.
    pub(crate) fn made(&self) -> usize {
        *self.made.borrow()
    }

    pub(crate) async fn made_reach(&self, number: usize) {
        self.made.subscribe().wait_for(|made| *made >= number).await.unwrap();
    }

    /// Ready when one waits.
    pub(crate) async fn one_waits(&self) {
        self.commits.subscribe().wait_for(|commits| *commits == Commits::OneWaits).await.unwrap();
    }

    /// For reads between the commit and the response.
    pub(crate) fn read(&self) -> Result<(), StoreError> {
        if self.down.load(SeqCst) { Err(StoreError::Unavailable("it went down".into())) } else { Ok(()) }
    }

    /// From now on, reads of named roles wait before they begin and before they end, until they are let go on.
    pub(crate) fn hold_roles(&self) {
        self.role_steps.forget_permits(Semaphore::MAX_PERMITS);
        self.role_steps_reached.send_replace(0);
    }

    /// Lets this many of the waits of [`Self::hold_roles`] end, and waits for the next one.
    pub(crate) async fn release_roles(&self, steps: usize) {
        let reached = *self.role_steps_reached.borrow();
        let target = reached.max(1) + steps;
        self.role_steps.add_permits(steps);
        self.role_steps_reached.subscribe().wait_for(|number| *number >= target).await.unwrap();
    }

    pub(crate) fn release_all_roles(&self) {
        self.role_steps.add_permits(1000);
    }

    pub(crate) async fn pass_roles<T>(&self, read: impl Future<Output = T>) -> T {
        self.role_step().await;
        let roles = read.await;
        self.role_step().await;
        roles
    }

    async fn role_step(&self) {
        self.role_steps_reached.send_modify(|number| *number += 1);
        self.role_steps.acquire().await.unwrap().forget();
    }

    pub(crate) async fn pass(
        &self,
        commit: impl Future<Output = Result<Vec<Head>, CommitError>>,
    ) -> Result<Vec<Head>, CommitError> {
        let mut commits = self.commits.subscribe();
        let becomes = *commits.borrow_and_update();
        match becomes {
            Commits::NextWaits => {
                self.commits.send_replace(Commits::OneWaits);
                drop(commits.wait_for(|commits| *commits == Commits::Answered).await);
            }
            Commits::Lost => return Err(CommitError::OutcomeUnknown("it is made to be".into())),
            Commits::Panic => panic!("the test makes it fail"),
            _ => {}
        }
        let heads = commit.await?;
        self.made.send_modify(|made| *made += 1);
        match becomes {
            Commits::Held => drop(commits.wait_for(|commits| *commits != Commits::Held).await),
            Commits::ThenDown => self.down.store(true, SeqCst),
            Commits::Unknown => return Err(CommitError::OutcomeUnknown("it is made to be".into())),
            _ => {}
        }
        Ok(heads)
    }
}
