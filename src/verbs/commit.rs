//! Making a change: once it has begun it comes to its end and is made known, whatever becomes of its caller.

use domain::{Revision, audit::Change};

use crate::ports::{
    StoreError,
    store::{Commit, CommitError, CommitStep, Existing, Expect, Write},
};

use super::{
    Call, Error, Service,
    change::{Failed, Step, Target, until_settled},
};

impl Call {
    /// The change of `target` that this call makes.
    fn change(&self, target: Target) -> Change {
        Change {
            time: target.time,
            project: target.project,
            actor: self.actor.clone(),
            action: target.action,
            target: target.name,
            request_id: self.request_id(),
            peer: self.peer.clone(),
            before: target.before,
            after: target.after,
        }
    }

    /// What to tell of a commit of `resource` that failed.
    fn failed(&self, error: CommitError, resource: String) -> Failed {
        Failed::For(match error {
            // A repeat of the request came first: reading again finds its answer.
            CommitError::Conflict | CommitError::Exists(Existing::Request) => return Failed::Stale,
            CommitError::Exists(_) => Error::AlreadyExists { resource },
            CommitError::InUse(by) => Error::InUse { resource, used_by: by.as_str() },
            CommitError::OwnerGone => Error::OwnerGone { resource },
            CommitError::OutcomeUnknown(why) => {
                Error::OutcomeUnknown { resource, repeatable: self.repeatable.is_some(), why }
            }
            CommitError::Store(error) => error.into(),
        })
    }
}

impl Service {
    /// Calls `attempt` until nothing came between, within reason. If the request was seen before, nothing is attempted:
    /// `again` answers, from the name of what the first one was about.
    pub(super) async fn once<T, A, R>(
        &self,
        call: &Call,
        action: &str,
        resource: &impl ToString,
        attempt: impl Fn() -> A,
        again: impl Fn(String) -> R,
    ) -> Result<T, Error>
    where
        A: Future<Output = Result<T, Failed>>,
        R: Future<Output = Result<T, Error>>,
    {
        let (attempt, again) = (&attempt, &again);
        let once = || async move {
            if let Some(target) = self.repeated(call, action).await? {
                return Ok(again(target).await?);
            }
            match attempt().await {
                Err(Failed::For(error @ (Error::Store(_) | Error::OutcomeUnknown { .. }))) => {
                    Err(Failed::For(error))
                }
                // What stands in the way may be what the first one has done meanwhile.
                Err(Failed::For(error)) => match self.repeated(call, action).await? {
                    Some(target) => Ok(again(target).await?),
                    None => Err(Failed::For(error)),
                },
                settled => settled,
            }
        };
        until_settled(resource, once).await
    }

    /// The name of what the request was about when it was seen before.
    async fn repeated(&self, call: &Call, action: &str) -> Result<Option<String>, Error> {
        let Some(repeatable) = &call.repeatable else {
            return Ok(None);
        };
        match self.store.remembered(&repeatable.digest(&call.actor, action)).await? {
            Some(seen) if seen.fingerprint == repeatable.fingerprint => {
                // The change may have been made at another node, or its outcome was not known here. The answer says that
                // it was made, so it must be known first.
                let head = self.store.head().await?;
                self.changes.made(head, &seen.target);
                Ok(Some(seen.target))
            }
            Some(_) => Err(Error::RequestIdReused { request_id: repeatable.request_id.clone() }),
            None => Ok(None),
        }
    }

    /// Makes one change, which becomes one event.
    pub(super) async fn commit(
        &self,
        call: &Call,
        target: Target,
        expect: Vec<Expect>,
        writes: Vec<Write>,
    ) -> Result<Revision, Failed> {
        let revisions = self.commit_together(call, expect, vec![(target, writes)], 0).await?;
        Ok(revisions[0])
    }

    /// Makes several changes in one transaction, each with an event of its own; the one in place `asked` is what
    /// was asked for. What an answer needs is read before: behind this, nothing may fail.
    pub(super) async fn commit_together(
        &self,
        call: &Call,
        expect: Vec<Expect>,
        steps: Vec<Step>,
        asked: usize,
    ) -> Result<Vec<Revision>, Failed> {
        let (asked, _) = &steps[asked];
        let asked_for = asked.name.clone();
        let remember = call.remembered(asked.action, asked.name.clone(), asked.time);
        let step = |(target, writes)| CommitStep { change: call.change(target), writes };
        let steps = steps.into_iter().map(step).collect();
        let commit = Commit { expect, steps, remember, validate_only: call.validate_only };
        self.make(commit).await.map_err(|error| call.failed(error, asked_for))
    }

    /// Remembers a request that changed nothing: if something else changes `target`, a repeat must not change it back.
    pub(super) async fn remember(&self, call: &Call, target: Target) -> Result<(), Failed> {
        let remember = call.remembered(target.action, target.name.clone(), target.time);
        if remember.is_none() || call.validate_only {
            return Ok(());
        }
        let commit = Commit { expect: Vec::new(), steps: Vec::new(), remember, validate_only: false };
        self.make(commit).await.map_err(|error| call.failed(error, target.name))?;
        Ok(())
    }

    /// Commits in a task of its own. A caller that goes away leaves a change that is made and known, or none; and no
    /// connection is dropped within a transaction.
    async fn make(&self, commit: Commit) -> Result<Vec<Revision>, CommitError> {
        let service = self.clone();
        let task = self.tasks.spawn(async move { service.commit_and_make_known(commit).await });
        // It is never aborted.
        task.await.unwrap_or_else(|_| Err(StoreError::Broken("the task of a change panicked".into()).into()))
    }

    async fn commit_and_make_known(&self, commit: Commit) -> Result<Vec<Revision>, CommitError> {
        let validate_only = commit.validate_only;
        let names: Vec<_> = commit.steps.iter().map(|step| step.change.target.clone()).collect();
        let outcome = self.store.commit(commit).await;
        match &outcome {
            Ok(events) if !validate_only => {
                // Known here before it is answered.
                for (event, name) in events.iter().zip(&names) {
                    self.changes.made(*event, name);
                }
            }
            Err(CommitError::OutcomeUnknown(_)) => self.changes.doubtful(&names).await,
            _ => {}
        }
        Ok(outcome?.into_iter().map(|event| event.revision).collect())
    }
}
