//! The one path on which every resource is changed: load, edit, describe, view, commit.

use std::fmt;

use domain::{
    Invalid, Revision, etag, is_etag, key::Forbidden, removal::Removal, resource::Resource, time::Timestamp,
};

use crate::ports::{commits::Expect, write::Write};

use super::{
    Call, Error, FieldFault, Service,
    attempt::AttemptError,
    managed::{Managed, View},
    step::{Step, Target},
};

/// The next state of a resource, and what must hold for it.
pub(super) struct Edit<R, T = ()> {
    pub(super) after: R,
    pub(super) expect: Vec<Expect>,
    /// What the answer has in addition to the resource.
    pub(super) with: T,
}

impl<R> From<R> for Edit<R> {
    fn from(after: R) -> Self {
        Self { after, expect: Vec::new(), with: () }
    }
}

impl Service {
    /// Changes the resource `name` by `edit`, which may be called more than once.
    pub(super) async fn change<R: Managed>(
        &self,
        call: &Call,
        action: &'static str,
        name: &R::Name,
        expected_etag: &str,
        edit: impl Fn(R, Timestamp) -> Result<Edit<R>, Error> + Send + Sync,
    ) -> Result<R::View, Error> {
        let edit = &edit;
        let attempt = || async move {
            let (view, _) = self.try_change(call, action, name, expected_etag, edit).await?;
            Ok(view)
        };
        self.once(call, action, name, attempt, |_| self.get::<R>(&call.caller, name)).await
    }

    /// One attempt at a change; answers also with what `edit` adds, unless nothing was changed.
    pub(super) async fn try_change<R: Managed, T: Send>(
        &self,
        call: &Call,
        action: &'static str,
        name: &R::Name,
        expected_etag: &str,
        edit: impl Fn(R, Timestamp) -> Result<Edit<R, T>, Error> + Send + Sync,
    ) -> Result<(R::View, Option<T>), AttemptError> {
        let before: R = self.load_expected(call, name, expected_etag).await?;
        let now = self.clock.now();
        let Edit { after, mut expect, with } = edit(before.clone(), now)?;
        expect.extend(self.check_grant(&call.caller, action, Some(&before), &after).await?);
        let target = Target::changed(action, &before, &after, now);
        if target.changes_nothing() {
            let view = self.view(&call.caller, before, now).await?;
            self.remember(call, target).await?;
            return Ok((view, None));
        }
        let mut view = self.view(&call.caller, after.clone(), now).await?;
        view.show_revision(self.commit(call, expect, target.by(Write::update(after))).await?);
        Ok((view, Some(with)))
    }

    /// One attempt to create `resource`, behind the `steps` that it needs.
    pub(super) async fn try_create<R: Managed>(
        &self,
        call: &Call,
        action: &'static str,
        resource: R,
        mut expect: Vec<Expect>,
        mut steps: Vec<Step>,
        now: Timestamp,
    ) -> Result<R::View, AttemptError> {
        expect.extend(self.check_grant(&call.caller, action, None, &resource).await?);
        let mut view = self.view(&call.caller, resource.clone(), now).await?;
        let asked = steps.len();
        steps.push(Step::create(action, resource, now));
        let revisions = self.commit_together(call, expect, steps, asked).await?;
        view.show_revision(revisions[asked]);
        Ok(view)
    }

    /// Deletes the resource `name` by `attempt`, and then continues for a while with the removal of what it owned.
    pub(super) async fn delete<F>(
        &self,
        call: &Call,
        action: &'static str,
        name: &impl ToString,
        attempt: impl Fn() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<Option<Removal>, AttemptError>>,
    {
        let removal = self.once(call, action, name, attempt, |_| std::future::ready(Ok(None))).await?;
        if let Some(removal) = removal {
            self.follow(call, &removal).await;
        }
        Ok(())
    }

    /// The resource `name`, if its etag is the expected one.
    pub(super) async fn load_expected<R: Managed>(
        &self,
        call: &Call,
        name: &R::Name,
        expected_etag: &str,
    ) -> Result<R, Error> {
        let resource: R = self.load(&call.caller, name).await?;
        check_etag(&resource, expected_etag)?;
        Ok(resource)
    }
}

/// Refuses a change that was meant for another state of the resource; an empty etag means any.
fn check_etag(resource: &impl Resource, expected: &str) -> Result<(), Error> {
    let revision: Revision = resource.revision();
    if expected.is_empty() || is_etag(expected, revision) {
        return Ok(());
    }
    Err(Error::EtagMismatch { resource: resource.name().to_string(), etag: etag(revision) })
}

/// What the resource `name` does not allow as it is.
pub(super) fn forbidden(name: &impl ToString) -> impl Fn(Forbidden) -> Error {
    move |why| Error::Forbidden { resource: name.to_string(), why }
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
