//! One change of a resource: what the audit trail shows of it, and what it writes.

use domain::{id::ProjectId, resource::Resource, time::Timestamp};
use serde_json::Value;

use crate::ports::write::{AnyResource, Write};

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
    pub(super) fn created(action: &'static str, after: &impl Resource, time: Timestamp) -> Self {
        Self { after: Some(after.describe()), ..Self::of(action, after, time) }
    }

    pub(super) fn changed<R: Resource>(action: &'static str, before: &R, after: &R, time: Timestamp) -> Self {
        Self {
            before: Some(before.describe()),
            after: Some(after.describe()),
            ..Self::of(action, before, time)
        }
    }

    pub(super) fn deleted(action: &'static str, before: &impl Resource, time: Timestamp) -> Self {
        Self { before: Some(before.describe()), ..Self::of(action, before, time) }
    }

    fn of(action: &'static str, resource: &impl Resource, time: Timestamp) -> Self {
        Self {
            action,
            project: resource.project().clone(),
            name: resource.name().to_string(),
            before: None,
            after: None,
            time,
        }
    }

    /// The audit trail would show no difference.
    pub(super) fn changes_nothing(&self) -> bool {
        self.before == self.after
    }

    /// The change that does `write`.
    pub(super) fn by(self, write: Write) -> Step {
        Step { target: self, writes: vec![write] }
    }
}

/// One change among those of a commit.
pub(super) struct Step {
    pub(super) target: Target,
    pub(super) writes: Vec<Write>,
}

impl Step {
    pub(super) fn create<R>(action: &'static str, resource: R, time: Timestamp) -> Self
    where
        R: Resource + Into<AnyResource>,
    {
        Target::created(action, &resource, time).by(Write::insert(resource))
    }

    pub(super) fn delete<R>(action: &'static str, resource: &R, time: Timestamp) -> Self
    where
        R: Resource + Into<AnyResource>,
    {
        Target::deleted(action, resource, time).by(Write::delete(resource.clone()))
    }

    /// Does `write` as well, as part of the same event.
    pub(super) fn and(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}
