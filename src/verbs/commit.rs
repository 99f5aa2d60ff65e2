//! Making a change: once begun, it is completed and made known even if its caller goes away.

use domain::{
    Revision, audit::Change, name::ProjectName, project::PolicyField, resource::Resource, role::Role,
};

use crate::ports::{
    StoreError,
    commits::{Commit, CommitError, CommitStep, Expect},
};

use super::{
    Call, Error, Service,
    allowance::Allowance,
    attempt::AttemptError,
    step::{Step, Target},
};

impl Call {
    /// The change of `target` that this call makes.
    fn change(&self, target: Target) -> Change {
        Change {
            time: target.time,
            project: target.project,
            actor: self.caller.actor.clone(),
            action: target.action,
            target: target.name,
            request_id: self.request_id(),
            peer: self.caller.peer.clone(),
            before: target.before,
            after: target.after,
        }
    }

    /// The error of a commit of `resource` that failed.
    fn commit_error(&self, error: CommitError, resource: String) -> AttemptError {
        AttemptError::Final(match error {
            // A repeat of the request came first: reading again finds its answer.
            CommitError::Conflict | CommitError::Repeated => return AttemptError::Stale,
            CommitError::Exists(_) => Error::AlreadyExists { resource },
            CommitError::InUse(by) => Error::InUse { resource, used_by: by.as_str() },
            CommitError::TooManyRoles(project, limit) => Error::LimitReached {
                resource: ProjectName(project).to_string(),
                kind: Role::KIND.as_str(),
                limit,
            },
            CommitError::TooManyKeys(project) => {
                Error::KeyPolicy { project: ProjectName(project), violated: vec![PolicyField::MaxActiveKeys] }
            }
            CommitError::OwnerGone(owner) => Error::OwnerGone { resource: owner.to_string() },
            CommitError::DeletionUnderWay => Error::DeletionUnderWay { resource },
            CommitError::OutcomeUnknown(why) => {
                Error::OutcomeUnknown { resource, repeatable: self.repeatable.is_some(), why }
            }
            CommitError::Store(error) => error.into(),
        })
    }
}

impl Service {
    /// Makes one change, which becomes one event.
    pub(super) async fn commit(
        &self,
        call: &Call,
        expect: Vec<Expect>,
        step: Step,
    ) -> Result<Revision, AttemptError> {
        let revisions = self.commit_together(call, expect, vec![step], 0).await?;
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
    ) -> Result<Vec<Revision>, AttemptError> {
        let asked = &steps[asked].target;
        let Allowance { condition, expect: proof } = self.allowance(&call.caller, &asked.project).await?;
        // First: a caller that is not allowed the change learns nothing of what else is in its way.
        let expect = [proof, expect].concat();
        let asked_for = asked.name.clone();
        let remember = call.remembered(asked.action, asked.name.clone(), asked.time);
        let step = |Step { target, writes }| CommitStep { change: call.change(target), writes };
        let steps = steps.into_iter().map(step).collect();
        let commit = Commit { condition, expect, steps, remember, validate_only: call.validate_only };
        self.make(commit).await.map_err(|error| call.commit_error(error, asked_for))
    }

    /// Remembers a request that changed nothing: if something else changes `target`, a repeat must not change it back.
    pub(super) async fn remember(&self, call: &Call, target: Target) -> Result<(), AttemptError> {
        let remember = call.remembered(target.action, target.name.clone(), target.time);
        if remember.is_none() || call.validate_only {
            return Ok(());
        }
        let commit =
            Commit { condition: None, expect: Vec::new(), steps: Vec::new(), remember, validate_only: false };
        self.make(commit).await.map_err(|error| call.commit_error(error, target.name))?;
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
