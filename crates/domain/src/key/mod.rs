//! The key: a credential record with policy, and the transitions of its life.

use std::{fmt, time::Duration};

use ipnet::IpNet;

use super::{
    Revision,
    access::Grant,
    digest::{Digest, PepperVersion},
    id::{EnvironmentId, KeyId, ProjectId, RoleId, ServiceAccountId},
    labels::{Customer, Metadata, Tag},
    project::Retention,
    text::{DisplayName, Reason},
    time::Timestamp,
    token,
};
use crate::id::Generation;

#[derive(Debug, Clone)]
pub struct Key {
    pub id: KeyId,
    pub project: ProjectId,
    pub service_account: ServiceAccountId,
    /// Which of the accounts that have had this id owns it.
    pub account_generation: Generation,
    pub environment: EnvironmentId,
    /// What its API keys begin with, as in `acme_live`.
    pub token_prefix: String,
    pub display_name: DisplayName,
    /// Sorted, each once.
    pub roles: Vec<RoleId>,
    /// Granted directly; sorted, each once.
    pub permissions: Vec<Grant>,
    pub customers: Vec<Customer>,
    pub allowed_cidrs: Vec<IpNet>,
    pub metadata: Metadata,
    pub tags: Vec<Tag>,
    /// Who made it, among the system project's accounts; `None` for Keystile itself.
    pub created_by: Option<ServiceAccountId>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub expire_time: Option<Timestamp>,
    pub last_used_time: Option<Timestamp>,
    pub disable_time: Option<Timestamp>,
    pub revocation: Option<Revocation>,
    pub deletion: Option<Deletion>,
    /// It can be rotated, but not deleted, revoked or disabled, and never expires.
    pub protected: bool,
    /// Newest first.
    pub secrets: Vec<StoredSecret>,
    pub revision: Revision,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub time: Timestamp,
    pub reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    pub time: Timestamp,
    pub purge_time: Timestamp,
}

#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// Counts up from 1 with every rotation of the key.
    pub version: i32,
    pub digest: Digest,
    pub pepper: PepperVersion,
    pub create_time: Timestamp,
    /// The end of a rotation's grace period.
    pub expire_time: Option<Timestamp>,
    pub last_used_time: Option<Timestamp>,
}

/// The digest of a new secret and the pepper that keyed it.
#[derive(Debug, Clone, Copy)]
pub struct Sealed {
    pub digest: Digest,
    pub pepper: PepperVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Active,
    Disabled,
    Revoked,
    Expired,
    Deleted,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Active, Self::Disabled, Self::Revoked, Self::Expired, Self::Deleted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change that the key or service account does not allow as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("it is {state}, so it cannot be {verb}")]
    State { verb: &'static str, state: &'static str },
    #[error("it is protected: it cannot be {verb}")]
    Protected { verb: &'static str },
}

/// The one definition of expired.
pub fn is_past(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now)
}

impl Key {
    /// The strongest of what holds; Verify refuses in the same order.
    pub fn state(&self, now: Timestamp) -> State {
        if self.deletion.is_some() {
            State::Deleted
        } else if self.revocation.is_some() {
            State::Revoked
        } else if self.disable_time.is_some() {
            State::Disabled
        } else if is_past(self.expire_time, now) {
            State::Expired
        } else {
            State::Active
        }
    }

    pub fn masked(&self) -> String {
        token::masked(&self.token_prefix, self.id)
    }

    pub fn newest_secret(&self) -> i32 {
        self.secrets.iter().map(|secret| secret.version).max().unwrap_or(0)
    }

    /// Gives the key a new secret; the one before verifies for `grace` longer, but never beyond the
    /// key's own expiry.
    pub fn rotate(mut self, sealed: Sealed, grace: Duration, now: Timestamp) -> Result<Self, Forbidden> {
        self.allows("rotated", &[State::Active, State::Disabled], now)?;
        let version = self.newest_secret() + 1;
        self.secrets = self.secrets.into_iter().max_by_key(|secret| secret.version).into_iter().collect();
        if grace.is_zero() {
            self.secrets.clear();
        }
        for old in &mut self.secrets {
            let end = now.after(grace);
            old.expire_time = Some(self.expire_time.map_or(end, |expiry| expiry.min(end)));
        }
        self.secrets.insert(0, StoredSecret::new(version, sealed, now));
        self.update_time = now;
        Ok(self)
    }

    /// Moves the key's end; a grace period that would outlive it ends with it.
    pub fn end_at(&mut self, end: Option<Timestamp>) {
        self.expire_time = end;
        for secret in &mut self.secrets {
            secret.expire_time = secret.expire_time.map(|grace| end.map_or(grace, |end| end.min(grace)));
        }
    }

    pub fn disable(mut self, now: Timestamp) -> Result<Self, Forbidden> {
        self.unprotected("disabled")?;
        self.allows("disabled", &[State::Active, State::Expired], now)?;
        self.disable_time = Some(now);
        self.update_time = now;
        Ok(self)
    }

    pub fn enable(mut self, now: Timestamp) -> Result<Self, Forbidden> {
        self.allows("enabled", &[State::Disabled], now)?;
        self.disable_time = None;
        self.update_time = now;
        Ok(self)
    }

    pub fn revoke(mut self, reason: Reason, now: Timestamp) -> Result<Self, Forbidden> {
        self.unprotected("revoked")?;
        self.allows("revoked", &[State::Active, State::Disabled, State::Expired], now)?;
        self.revocation = Some(Revocation { time: now, reason });
        self.update_time = now;
        Ok(self)
    }

    pub fn delete(mut self, retention: Retention, now: Timestamp) -> Result<Self, Forbidden> {
        self.unprotected("deleted")?;
        self.allows("deleted", &[State::Active, State::Disabled, State::Revoked, State::Expired], now)?;
        self.deletion = Some(Deletion { time: now, purge_time: now.after(retention.as_duration()) });
        self.update_time = now;
        Ok(self)
    }

    /// Deletes the key after its owner, in whatever state it is.
    #[must_use]
    pub fn follow_owner(mut self, deletion: Deletion, now: Timestamp) -> Self {
        self.deletion = Some(deletion);
        self.update_time = now;
        self
    }

    /// Removes a role from the key, in any state.
    #[must_use]
    pub fn without_role(mut self, role: &RoleId, now: Timestamp) -> Self {
        self.roles.retain(|held| held != role);
        self.update_time = now;
        self
    }

    pub fn undelete(mut self, now: Timestamp) -> Result<Self, Forbidden> {
        self.allows("undeleted", &[State::Deleted], now)?;
        self.deletion = None;
        self.update_time = now;
        Ok(self)
    }

    /// The one definition of purged: its retention is over, whether housekeeping has come by or not.
    pub fn is_due_for_purge(&self, now: Timestamp) -> bool {
        is_past(self.deletion.map(|it| it.purge_time), now)
    }

    /// A purge leaves nothing, in whatever state the key is.
    pub fn purgeable(&self) -> Result<(), Forbidden> {
        self.unprotected("deleted")
    }

    /// Whether the key's description and policy may change.
    pub fn updatable(&self, now: Timestamp) -> Result<(), Forbidden> {
        self.allows("updated", &[State::Active, State::Disabled, State::Revoked, State::Expired], now)
    }

    fn unprotected(&self, verb: &'static str) -> Result<(), Forbidden> {
        if self.protected { Err(Forbidden::Protected { verb }) } else { Ok(()) }
    }

    fn allows(&self, verb: &'static str, states: &[State], now: Timestamp) -> Result<(), Forbidden> {
        let state = self.state(now);
        if states.contains(&state) { Ok(()) } else { Err(Forbidden::State { verb, state: state.as_str() }) }
    }
}

impl StoredSecret {
    pub fn new(version: i32, sealed: Sealed, now: Timestamp) -> Self {
        Self {
            version,
            digest: sealed.digest,
            pepper: sealed.pepper,
            create_time: now,
            expire_time: None,
            last_used_time: None,
        }
    }
}

mod resource;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
#[cfg(test)]
mod tests;
