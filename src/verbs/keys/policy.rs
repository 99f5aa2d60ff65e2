//! Changes of keys that their project's policy may forbid.

use std::time::Duration;

use domain::{
    key::{Key, State},
    name::{KeyName, ProjectName},
    project::{PolicyField, Project},
    time::Timestamp,
};

use crate::{
    ports::commits::Expect,
    verbs::{Call, Error, KeyView, Service, attempt::AttemptError, change::Edit},
};

impl Service {
    /// As [`Service::change`] changes any resource, if the policy allows the key as it will be.
    pub(super) async fn change_by_policy(
        &self,
        call: &Call,
        action: &'static str,
        name: &KeyName,
        etag: &str,
        edit: impl Fn(Key, Timestamp) -> Result<Edit<Key>, Error> + Send + Sync,
    ) -> Result<KeyView, Error> {
        let edit = &edit;
        let attempt = || async move {
            let (view, _) = self.try_change_by_policy(call, action, name, etag, None, edit).await?;
            Ok(view)
        };
        self.once(call, action, name, attempt, |_| self.get::<Key>(&call.caller, name)).await
    }

    /// As [`Service::try_change`], if the policy allows the key as it will be, and the `grace` of a rotation.
    pub(super) async fn try_change_by_policy<T: Send>(
        &self,
        call: &Call,
        action: &'static str,
        name: &KeyName,
        etag: &str,
        grace: Option<Duration>,
        edit: impl Fn(Key, Timestamp) -> Result<Edit<Key, T>, Error> + Send + Sync,
    ) -> Result<(KeyView, Option<T>), AttemptError> {
        let project = self.load_project(&call.caller, &name.project).await?;
        let within_policy = |key: Key, now| {
            let was_active = key.state(now) == State::Active;
            let mut edited = edit(key, now)?;
            edited.expect.extend(expected_by_policy(&project, &edited.after, was_active, grace, now)?);
            Ok(edited)
        };
        self.try_change(call, action, name, etag, within_policy).await
    }
}

/// What must hold when a key of `project` becomes `after`; an error if the policy forbids it whatever else holds.
pub(super) fn expected_by_policy(
    project: &Project,
    after: &Key,
    was_active: bool,
    grace: Option<Duration>,
    now: Timestamp,
) -> Result<Vec<Expect>, Error> {
    let policy = &project.key_policy;
    let mut violated = policy.violated_by(after, now);
    if grace.is_some_and(|grace| !policy.allows_grace(grace)) {
        violated.push(PolicyField::MaxRotationGrace);
    }
    if !violated.is_empty() {
        return Err(Error::KeyPolicy { project: ProjectName(project.id.clone()), violated });
    }
    let mut expect = vec![Expect::unchanged(project.clone())];
    let becomes_active = !was_active && after.state(now) == State::Active && !after.protected;
    if let Some(most) = policy.max_active_keys.filter(|_| becomes_active) {
        expect.push(Expect::ActiveKeysBelow { project: project.id.clone(), most, now });
    }
    Ok(expect)
}
