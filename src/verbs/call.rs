//! The caller of a verb, and whether its request is a repeat or a trial.

use std::sync::Arc;

use domain::{
    access::Projects,
    audit::Actor,
    id::{ProjectId, ServiceAccountId},
    key::Key,
    name::{ProjectName, Scope},
    time::Timestamp,
};
use sha2::{Digest, Sha256};

use crate::ports::commits::{Remembered, RequestDigest};

use super::{Error, Session};

/// The caller. Every verb takes it, including those that only read: each look-up is made on behalf of a caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub actor: Actor,
    /// The address that the caller connected from.
    pub peer: String,
    /// The permission that its call needs; empty if none.
    pub(super) needs: &'static str,
    /// What proved the caller, and says what it may do. `None` for Keystile itself, which may do everything.
    session: Option<Arc<Session>>,
}

/// A request that changes something.
#[derive(Debug, Clone)]
pub struct Call {
    pub caller: Caller,
    /// Set when the request may be sent again safely.
    pub repeatable: Option<Repeatable>,
    /// Check everything, change nothing.
    pub validate_only: bool,
}

#[derive(Debug, Clone)]
pub struct Repeatable {
    pub request_id: String,
    /// SHA-256 over the whole request, but for `validate_only`.
    pub fingerprint: [u8; 32],
}

impl Caller {
    /// The caller of `session`, connected from `peer`, whose call `needs` this permission.
    pub fn of(session: &Arc<Session>, peer: String, needs: &'static str) -> Self {
        let actor = Actor::Caller { service_account: session.service_account().clone(), key: session.key() };
        Self { actor, peer, needs, session: Some(session.clone()) }
    }

    /// Keystile itself.
    pub fn keystile() -> Self {
        Self::completing(Actor::Keystile, String::new())
    }

    /// Keystile, in the name of `actor`: it completes what that caller was allowed to begin.
    pub fn completing(actor: Actor, peer: String) -> Self {
        Self { actor, peer, needs: "", session: None }
    }

    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The projects that the caller may act on.
    pub(super) fn projects(&self) -> &Projects {
        self.session.as_ref().map_or(&Projects::All, |session| session.projects())
    }

    pub(super) fn may_act_on(&self, project: &ProjectId) -> bool {
        self.projects().includes(project)
    }

    /// The projects of `scope` that the caller may act on. A project that it may not act on is an error as one that does
    /// not exist.
    pub(super) fn projects_in(&self, scope: &Scope) -> Result<Projects, Error> {
        match scope {
            Scope::All => Ok(self.projects().clone()),
            Scope::Project(id) if self.may_act_on(id) => Ok(Projects::These([id.clone()].into())),
            Scope::Project(id) => Err(Error::not_found(&ProjectName(id.clone()))),
        }
    }

    /// Whether `key`, which is of the system project, belongs to the caller's own account.
    pub(super) fn owns(&self, key: &Key) -> bool {
        self.actor.service_account() == Some(&key.service_account)
    }

    pub(super) fn service_account(&self) -> Option<ServiceAccountId> {
        self.actor.service_account().cloned()
    }
}

impl Call {
    /// A change that Keystile makes by itself.
    pub(super) fn own() -> Self {
        Self::once_by(Caller::keystile())
    }

    /// A change that is made in the name of `caller`, and not repeated.
    pub(super) fn once_by(caller: Caller) -> Self {
        Self { caller, repeatable: None, validate_only: false }
    }

    pub(super) fn request_id(&self) -> String {
        self.repeatable.as_ref().map(|it| it.request_id.clone()).unwrap_or_default()
    }

    pub(super) fn remembered(&self, action: &str, target: String, time: Timestamp) -> Option<Remembered> {
        self.repeatable.as_ref().map(|it| Remembered {
            id: it.digest(&self.caller.actor, action),
            fingerprint: it.fingerprint,
            target,
            time,
        })
    }
}

impl Repeatable {
    /// Tells request ids of different callers and methods apart.
    pub(super) fn digest(&self, actor: &Actor, action: &str) -> RequestDigest {
        // A purge is a DeleteKey too.
        let method = if action == "keys.purge" { "keys.delete" } else { action };
        Sha256::new()
            .chain_update(actor.service_account().map_or("", |account| account.as_str()))
            .chain_update([0])
            .chain_update(method)
            .chain_update([0])
            .chain_update(&self.request_id)
            .finalize()
            .into()
    }
}
