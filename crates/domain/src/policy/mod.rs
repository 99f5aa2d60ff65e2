//! What a key allows: everything that the checks of a verification decide on.

use std::{
    hash::{Hash, Hasher},
    mem::size_of_val,
    sync::Arc,
};

use ipnet::IpNet;

use super::{
    access::Grant,
    id::{EnvironmentId, ProjectId, RoleId, ServiceAccountId},
    key::Key,
    labels::Customer,
    shared_access::{CurrentAccess, SharedAccess},
    time::Timestamp,
};

/// Millions of policies are kept in memory, so what many keys have in common is shared, and what most keys have
/// nothing of takes no room.
#[derive(Debug)]
pub struct Policy {
    profile: Arc<Profile>,
    /// [`NEVER`] for a key that does not expire.
    end: Timestamp,
    restrictions: Option<Box<Restrictions>>,
}

/// What many keys have in common.
#[derive(Debug)]
pub struct Profile {
    /// What the API keys begin with, as in `acme_live`.
    pub token_prefix: Box<str>,
    pub environment: EnvironmentId,
    pub project: ProjectId,
    /// The service account that a key of the system project authenticates; keys of other projects authenticate no caller.
    pub caller: Option<ServiceAccountId>,
    /// `None` if nothing was granted to them.
    pub granted: Option<Granted>,
    /// What that comes to now; no part of what makes profiles equal.
    pub access: SharedAccess,
}

/// What was granted to a key: the roles that it holds, and its own permissions. What it may do depends also on what the
/// roles grant now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Granted {
    pub project: ProjectId,
    pub roles: Box<[RoleId]>,
    pub permissions: Box<[Grant]>,
}

/// What most keys have nothing of: reasons to deny.
#[derive(Debug, Default)]
pub struct Restrictions {
    pub revoked: bool,
    pub disabled: bool,
    pub owner_disabled: bool,
    /// Where the key may be used from; anywhere if empty.
    pub allowed_cidrs: Vec<IpNet>,
    /// For whom the key works; for all if empty.
    pub customers: Vec<Customer>,
}

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

static UNRESTRICTED: Restrictions = Restrictions {
    revoked: false,
    disabled: false,
    owner_disabled: false,
    allowed_cidrs: Vec::new(),
    customers: Vec::new(),
};

impl Policy {
    pub fn new(key: &Key, owner_disabled: bool) -> Self {
        // Only the secret from before a rotation has an end of its own. If the newest has one too, the key ends
        // with it.
        let newest_end = key.secrets.first().and_then(|secret| secret.expire_time);
        let end = key.expire_time.into_iter().chain(newest_end).min();
        let restrictions = Restrictions {
            revoked: key.revocation.is_some(),
            disabled: key.disable_time.is_some(),
            owner_disabled,
            allowed_cidrs: key.allowed_cidrs.clone(),
            customers: key.customers.clone(),
        };
        Self {
            profile: Arc::new(Profile::new(key)),
            end: end.unwrap_or(NEVER),
            restrictions: restrictions.has_any().then(|| Box::new(restrictions)),
        }
    }

    /// Replaces the profile by an equal one that other keys use too.
    pub fn share_profile(&mut self, share: impl FnOnce(&Arc<Profile>) -> Arc<Profile>) {
        self.profile = share(&self.profile);
    }

    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    pub fn restrictions(&self) -> &Restrictions {
        self.restrictions.as_deref().unwrap_or(&UNRESTRICTED)
    }

    pub fn expire_time(&self) -> Option<Timestamp> {
        (self.end != NEVER).then_some(self.end)
    }

    /// The bytes that it takes in memory in addition to itself, without its profile.
    pub(super) fn heap_size(&self) -> usize {
        self.restrictions.as_ref().map_or(0, |it| {
            let customers = it.customers.iter().map(|it| size_of_val(it) + it.as_str().len());
            size_of_val(&**it) + size_of_val(&*it.allowed_cidrs) + customers.sum::<usize>()
        })
    }
}

impl Granted {
    /// The bytes that it takes in memory in addition to itself.
    fn size(&self) -> usize {
        let roles = self.roles.iter().map(|it| size_of_val(it) + it.as_str().len());
        let permissions = self.permissions.iter().map(|it| size_of_val(it) + it.as_str().len());
        self.project.as_str().len() + roles.sum::<usize>() + permissions.sum::<usize>()
    }

    /// `None` for a key that nothing was granted to.
    pub fn to(key: &Key) -> Option<Self> {
        (!key.roles.is_empty() || !key.permissions.is_empty()).then(|| Self {
            project: key.project.clone(),
            roles: key.roles.clone().into(),
            permissions: key.permissions.clone().into(),
        })
    }
}

impl Profile {
    fn new(key: &Key) -> Self {
        Self {
            token_prefix: key.token_prefix.as_str().into(),
            environment: key.environment.clone(),
            project: key.project.clone(),
            caller: key.project.is_system().then(|| key.service_account.clone()),
            granted: Granted::to(key),
            access: SharedAccess::default(),
        }
    }

    /// What makes profiles equal.
    fn parts(&self) -> (&str, &EnvironmentId, &ProjectId, &Option<ServiceAccountId>, &Option<Granted>) {
        (&self.token_prefix, &self.environment, &self.project, &self.caller, &self.granted)
    }

    /// What its keys may do, as it was read last; not read yet, or no longer current, it may have nothing.
    pub fn current_access(&self) -> CurrentAccess {
        if self.granted.is_some() { self.access.current() } else { CurrentAccess::NONE }
    }

    /// The bytes that it takes in memory.
    pub fn size(&self) -> usize {
        let caller = self.caller.as_ref().map_or(0, |it| it.as_str().len());
        let texts = [&*self.token_prefix, self.environment.as_str(), self.project.as_str()];
        let granted = self.granted.as_ref().map_or(0, Granted::size);
        let access = self.current_access().get().map_or(0, |access| access.size());
        size_of::<Self>() + texts.iter().map(|text| text.len()).sum::<usize>() + caller + granted + access
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Profile {}

impl Hash for Profile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Restrictions {
    fn has_any(&self) -> bool {
        self.revoked
            || self.disabled
            || self.owner_disabled
            || !self.allowed_cidrs.is_empty()
            || !self.customers.is_empty()
    }
}

#[cfg(test)]
mod tests;
