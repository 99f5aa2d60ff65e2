//! Read, decide, write if nothing came between: how every resource is changed.

use std::fmt;

use domain::{
    Invalid, Revision, describe, etag,
    id::ProjectId,
    is_etag,
    key::Key,
    name::{KeyName, ProjectName, ServiceAccountName},
    project::Project,
    service_account::ServiceAccount,
    time::Timestamp,
};
use serde_json::Value;

use crate::ports::store::{Expect, Write};

use super::{AccountView, Call, Error, FieldFault, KeyView, Service};

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

impl Target {
    /// The audit trail would show no difference.
    pub(super) fn changes_nothing(&self) -> bool {
        self.before == self.after
    }
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
        let attempt = || self.try_change_key(call, action, name, expected_etag, &edit);
        self.once(call, action, name, attempt, |_| self.get_key(name)).await
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
        let Edit { key: after, expect } = edit(before.clone(), now)?;
        let target = Target {
            action,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&before)),
            after: Some(describe::key(&after)),
            time: now,
        };
        if target.changes_nothing() {
            let view = self.view_key(before, now).await?;
            self.remember(call, target).await?;
            return Ok(view);
        }
        let mut view = self.view_key(after.clone(), now).await?;
        view.key.revision = self.commit(call, target, expect, vec![Write::UpdateKey(after)]).await?;
        Ok(view)
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
        let attempt = || self.try_change_account(call, action, name, expected_etag, &edit);
        self.once(call, action, name, attempt, |_| self.get_service_account(name)).await
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
        let after = edit(before.clone(), now)?;
        let target = Target {
            action,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::service_account(&before)),
            after: Some(describe::service_account(&after)),
            time: now,
        };
        if target.changes_nothing() {
            let view = self.view_account(before).await?;
            self.remember(call, target).await?;
            return Ok(view);
        }
        let mut view = self.view_account(after.clone()).await?;
        let writes = vec![Write::UpdateServiceAccount(after)];
        view.account.revision = self.commit(call, target, Vec::new(), writes).await?;
        Ok(view)
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
    if expected.is_empty() || is_etag(expected, revision) {
        return Ok(());
    }
    Err(Error::EtagMismatch { resource: resource.to_string(), etag: etag(revision) })
}

/// What is wrong if a request says that `field`, which cannot change, is `stated`.
pub(super) fn immutable<T: PartialEq + fmt::Display>(
    field: &'static str,
    stated: Option<&T>,
    is: &T,
) -> Option<FieldFault> {
    let differs = stated.is_some_and(|stated| stated != is);
    differs.then(|| FieldFault::new(field, &Invalid::new(format!("cannot be changed: it is {is}"))))
}

pub(super) fn check_immutable(faults: impl IntoIterator<Item = Option<FieldFault>>) -> Result<(), Error> {
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}
