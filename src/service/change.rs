//! Read, decide, write if nothing came between: how every resource is changed.

use serde_json::Value;

use crate::{
    domain::{
        Revision,
        audit::Change,
        describe, etag,
        id::ProjectId,
        key::Key,
        name::{KeyName, ProjectName, ServiceAccountName},
        project::Project,
        service_account::ServiceAccount,
        time::Timestamp,
    },
    ports::store::{Commit, CommitError, CommitStep, Existing, Expect, Write},
};

use super::{AccountView, Call, Error, KeyView, Service};

/// How often a change is tried anew when something else came between.
const ATTEMPTS: u32 = 8;

/// What a change is called and what it is made to.
pub(super) struct Target {
    pub(super) action: &'static str,
    pub(super) project: ProjectId,
    pub(super) name: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) time: Timestamp,
}

/// One change among those of a commit.
pub(super) type Step = (Target, Vec<Write>);

/// The next state of a key, and what must hold for it.
pub(super) struct Edit {
    pub(super) key: Key,
    pub(super) expect: Vec<Expect>,
}

impl From<Key> for Edit {
    fn from(key: Key) -> Self {
        Self { key, expect: Vec::new() }
    }
}

/// Why an attempt at a change did not go through.
pub(super) enum Failed {
    /// Something came between: read again and try once more.
    Stale,
    For(Error),
}

impl Failed {
    fn of(error: CommitError, resource: String) -> Self {
        match error {
            // A repeat of the request came first: reading again finds its answer.
            CommitError::Conflict | CommitError::Exists(Existing::Request) => Self::Stale,
            CommitError::Exists(_) => Self::For(Error::AlreadyExists { resource }),
            CommitError::InUse => Self::For(Error::InUse { resource, used_by: "keys or service accounts" }),
            CommitError::OwnerGone => Self::For(Error::OwnerGone { resource }),
            CommitError::Store(error) => Self::For(error.into()),
        }
    }
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::For(error.into())
    }
}

/// Calls `attempt` until nothing came between, within reason.
pub(super) async fn until_settled<T, F>(resource: &impl ToString, attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Failed>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Failed::Stale) => {}
            Err(Failed::For(error)) => return Err(error),
        }
    }
    Err(Error::Conflict { resource: resource.to_string() })
}

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
}

impl Service {
    /// Changes the key `name` by `edit`, which may be called more than once.
    pub(super) async fn change_key(
        &self,
        call: &Call,
        action: &'static str,
        name: &KeyName,
        expected_etag: &str,
        edit: impl Fn(Key, Timestamp) -> Result<Edit, Error> + Send + Sync,
    ) -> Result<KeyView, Error> {
        until_settled(name, || self.try_change_key(call, action, name, expected_etag, &edit)).await
    }

    async fn try_change_key(
        &self,
        call: &Call,
        action: &'static str,
        name: &KeyName,
        expected_etag: &str,
        edit: &(impl Fn(Key, Timestamp) -> Result<Edit, Error> + Send + Sync),
    ) -> Result<KeyView, Failed> {
        let before = self.load_key(name).await?;
        check_etag(name, expected_etag, before.revision)?;
        let now = self.clock.now();
        let Edit { key: mut after, expect } = edit(before.clone(), now)?;
        let target = Target {
            action,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&before)),
            after: Some(describe::key(&after)),
            time: now,
        };
        after.revision = self.commit(call, target, expect, vec![Write::UpdateKey(after.clone())]).await?;
        Ok(self.view_key(after, now).await?)
    }

    /// Changes the account `name` by `edit`, which may be called more than once.
    pub(super) async fn change_account(
        &self,
        call: &Call,
        action: &'static str,
        name: &ServiceAccountName,
        expected_etag: &str,
        edit: impl Fn(ServiceAccount, Timestamp) -> Result<ServiceAccount, Error> + Send + Sync,
    ) -> Result<AccountView, Error> {
        until_settled(name, || self.try_change_account(call, action, name, expected_etag, &edit)).await
    }

    async fn try_change_account(
        &self,
        call: &Call,
        action: &'static str,
        name: &ServiceAccountName,
        expected_etag: &str,
        edit: &(impl Fn(ServiceAccount, Timestamp) -> Result<ServiceAccount, Error> + Send + Sync),
    ) -> Result<AccountView, Failed> {
        let before = self.load_account(name).await?;
        check_etag(name, expected_etag, before.revision)?;
        let now = self.clock.now();
        let mut after = edit(before.clone(), now)?;
        let target = Target {
            action,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::service_account(&before)),
            after: Some(describe::service_account(&after)),
            time: now,
        };
        let writes = vec![Write::UpdateServiceAccount(after.clone())];
        after.revision = self.commit(call, target, Vec::new(), writes).await?;
        Ok(self.view_account(after).await?)
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
    /// was asked for.
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
        let names: Vec<_> = steps.iter().map(|(target, _)| target.name.clone()).collect();
        let step = |(target, writes)| CommitStep { change: call.change(target), writes };
        let steps = steps.into_iter().map(step).collect();
        let commit = Commit { expect, steps, remember, validate_only: call.validate_only };
        let events = match self.store.commit(commit).await {
            Ok(events) => events,
            Err(error) => return Err(Failed::of(error, asked_for)),
        };
        if !call.validate_only {
            // Known here before it is answered.
            for (event, name) in events.iter().zip(&names) {
                self.changes.made(event.revision, name);
            }
        }
        Ok(events.into_iter().map(|event| event.revision).collect())
    }

    /// The name of what the request made when it was seen before.
    pub(super) async fn repeated(&self, call: &Call, action: &str) -> Result<Option<String>, Error> {
        let Some(repeatable) = &call.repeatable else {
            return Ok(None);
        };
        match self.store.remembered(&repeatable.digest(&call.actor, action)).await? {
            Some(seen) if seen.fingerprint == repeatable.fingerprint => Ok(Some(seen.target)),
            Some(_) => Err(Error::RequestIdReused { request_id: repeatable.request_id.clone() }),
            None => Ok(None),
        }
    }

    pub(super) async fn load_key(&self, name: &KeyName) -> Result<Key, Error> {
        let key = self.store.key(&name.project, name.key).await?;
        self.unless_purged(key).ok_or_else(|| Error::not_found(name))
    }

    /// Whether housekeeping has come by already must make no difference.
    pub(super) fn unless_purged(&self, key: Option<Key>) -> Option<Key> {
        key.filter(|key| !key.is_due_for_purge(self.clock.now()))
    }

    pub(super) async fn load_account(&self, name: &ServiceAccountName) -> Result<ServiceAccount, Error> {
        self.store
            .service_account(&name.project, &name.service_account)
            .await?
            .ok_or_else(|| Error::not_found(name))
    }

    pub(super) async fn load_project(&self, id: &ProjectId) -> Result<Project, Error> {
        let name = || ProjectName(id.clone());
        self.store.project(id).await?.ok_or_else(|| Error::not_found(&name()))
    }
}

/// Refuses a change that was meant for another state of the resource; an empty etag means any.
pub(super) fn check_etag(resource: &impl ToString, expected: &str, revision: Revision) -> Result<(), Error> {
    let current = etag(revision);
    if expected.is_empty() || expected == current {
        return Ok(());
    }
    Err(Error::EtagMismatch { resource: resource.to_string(), etag: current })
}
