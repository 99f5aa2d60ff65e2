//! Nobody grants what they do not hold. A key of the system project is a caller, so a caller that creates, changes or enables one
//! needs every permission and every project that the key would have; roles and accounts give them to keys.

use domain::{
    access::{Access, Excess, Grant, Holding, MissingProject, Projects},
    credential::Credential,
    decision::Code,
    id::{ProjectId, RoleId},
    judge::judge,
    key::Key,
    name::ProjectName,
    resource::Resource,
    role::Role,
    service_account::ServiceAccount,
    time::Timestamp,
};

use crate::ports::{commits::Expect, write::AnyResource};

use super::{Caller, Error, Service, Session, attempt::AttemptError, error::Lacking, managed::Managed};

/// Changes of a key or an account that only take away. Any other may hand something on, or give it another name.
const TAKE_AWAY: [&str; 4] = ["keys.disable", "keys.revoke", "keys.delete", "serviceAccounts.disable"];

/// The keys of an account that are looked at when it is enabled. With more of them, the caller needs everything.
const MOST_KEYS: u64 = 1000;

/// What somebody may do, as it was read, and what must still hold at the commit for that to be so.
pub(super) struct Held {
    pub(super) access: Access,
    pub(super) projects: Projects,
    /// Roles that do not exist.
    missing: Vec<RoleId>,
    /// When its API key ends.
    pub(super) end: Option<Timestamp>,
    pub(super) expect: Vec<Expect>,
}

impl Service {
    /// Whether `caller` may make `after` of `before`. If so, what must still hold at the commit; else
    /// [`Error::GrantExceedsCaller`].
    pub(super) async fn check_grant<R: Managed>(
        &self,
        caller: &Caller,
        action: &str,
        before: Option<&R>,
        after: &R,
    ) -> Result<Vec<Expect>, AttemptError> {
        // Permissions of other projects mean nothing to Keystile.
        if !after.project().is_system() {
            return Ok(Vec::new());
        }
        match (before.cloned().map(Into::into), after.clone().into()) {
            (before, AnyResource::Key(after)) if !TAKE_AWAY.contains(&action) => {
                let Some(AnyResource::Key(before)) = before else {
                    return self.check_grant_of_new_key(caller, &after).await;
                };
                let mut expect = self.check_grant_of_key(caller, &before.roles, &after).await?;
                // An update may take away so much that the caller could rotate the key after it, and wait for the rest to be given back.
                if action == "keys.update" {
                    expect.extend(self.check_grant_of_key(caller, &before.roles, &before).await?);
                }
                // A new secret is a new credential in the name of the key's account.
                if action == "keys.rotate" && !caller.owns(&after) {
                    expect.extend(self.check_grant_by_account(caller, &after).await?);
                }
                Ok(expect)
            }
            (Some(AnyResource::Role(before)), AnyResource::Role(after)) => {
                Ok(self.check_grant_of_role(caller, Some(&before), &after).await?)
            }
            (_, AnyResource::Role(role)) => Ok(self.check_grant_of_role(caller, None, &role).await?),
            (Some(AnyResource::ServiceAccount(_)), AnyResource::ServiceAccount(after))
                if !TAKE_AWAY.contains(&action) =>
            {
                Ok(self.check_grant_of_account(caller, &after).await?)
            }
            (_, AnyResource::Key(_) | AnyResource::ServiceAccount(_) | AnyResource::Project(_)) => {
                Ok(Vec::new())
            }
        }
    }

    /// The same for a role, which hands on what it grants. Keys that hold it already may act on any project.
    pub(super) async fn check_grant_of_role(
        &self,
        caller: &Caller,
        before: Option<&Role>,
        after: &Role,
    ) -> Result<Vec<Expect>, Error> {
        let Some(session) = caller.session().filter(|_| after.project.is_system()) else {
            return Ok(Vec::new());
        };
        let own = self.held_by(session).await?;
        let access = Access::of(before.into_iter().chain([after]), &[]);
        let projects = if before.is_some() { Projects::All } else { Projects::default() };
        own.check(&after.name(), Holding { access: &access, projects: &projects })?;
        Ok(own.expect)
    }

    /// The same for a key that held `roles_before`.
    async fn check_grant_of_key(
        &self,
        caller: &Caller,
        roles_before: &[RoleId],
        key: &Key,
    ) -> Result<Vec<Expect>, AttemptError> {
        let Some(session) = caller.session() else { return Ok(Vec::new()) };
        let own = self.held_by(session).await?;
        if own.is_everything() {
            return Ok(own.expect);
        }
        let given = self.held_by_key(key).await?;
        // It existed a moment ago. One of the same name that is created before the commit is not what was checked here.
        if given.missing.iter().any(|role| !roles_before.contains(role)) {
            return Err(AttemptError::Stale);
        }
        own.check(&key.name(), given.holding())?;
        Ok([own.expect, given.expect].concat())
    }

    /// A new key acts in the name of its account, so its creator needs what the account's other keys hold as well.
    async fn check_grant_of_new_key(&self, caller: &Caller, key: &Key) -> Result<Vec<Expect>, AttemptError> {
        let mut expect = self.check_grant_of_key(caller, &[], key).await?;
        expect.extend(self.check_grant_by_account(caller, key).await?);
        Ok(expect)
    }

    async fn check_grant_by_account(&self, caller: &Caller, key: &Key) -> Result<Vec<Expect>, Error> {
        match self.store.service_account(&key.project, &key.service_account).await? {
            Some(account) if account.owns(key) => self.check_grant_of_account(caller, &account).await,
            // An account that is made with the key has no other.
            _ => Ok(Vec::new()),
        }
    }

    /// The same for an account. Enabling it hands on what its keys hold, and its name is shown as the author of what they do.
    async fn check_grant_of_account(
        &self,
        caller: &Caller,
        account: &ServiceAccount,
    ) -> Result<Vec<Expect>, Error> {
        let Some(session) = caller.session() else { return Ok(Vec::new()) };
        let own = self.held_by(session).await?;
        if own.is_everything() {
            return Ok(own.expect);
        }
        let name = account.name();
        let keys = self.store.keys_of_account(account, MOST_KEYS + 1).await?;
        let number = keys.len() as u64;
        if number > MOST_KEYS {
            let everything = Access::new([], &[everything()]);
            own.check(&name, Holding { access: &everything, projects: &Projects::All })?;
        }
        let newest = keys.iter().map(|key| key.revision).max().unwrap_or_default();
        // A revoked key stays revoked.
        let keys: Vec<Key> = keys.into_iter().filter(|key| key.revocation.is_none()).collect();
        let permissions: Vec<Grant> = keys.iter().flat_map(|key| key.permissions.clone()).collect();
        let customers: Vec<_> = keys.iter().flat_map(|key| key.customers.clone()).collect();
        let mut roles: Vec<RoleId> = keys.into_iter().flat_map(|key| key.roles).collect();
        roles.sort();
        roles.dedup();
        let given = self.held_through(&roles, &permissions, Projects::stored(&customers)).await?;
        own.check(&name, given.holding())?;
        let unchanged = Expect::KeysOfOwner { owner: name, generation: account.generation, number, newest };
        Ok([own.expect, given.expect, vec![unchanged]].concat())
    }

    /// What the caller of `session` holds now; an error if its API key does not prove it any more. The session may be a little
    /// older than the last change of its key, its secrets and its account.
    pub(super) async fn held_by(&self, session: &Session) -> Result<Held, Error> {
        let system = ProjectId::system();
        let Some(key) = self.store.key(&system, session.key()).await? else {
            return Err(Error::Unauthenticated);
        };
        let owner = self.store.service_account(&system, &key.service_account).await?;
        let Some(owner) = owner.filter(|it| it.owns(&key)) else { return Err(Error::Unauthenticated) };
        let Some(credential) = Credential::new(&key, owner.disable_time.is_some()) else {
            return Err(Error::Unauthenticated);
        };
        let mut held = self.held_by_key(&key).await?;
        let (presented, question) = session.claim();
        let known = Some((&credential, &held.access));
        let judgement = judge(&self.prover(), known, presented, &question, self.clock.now());
        let Some(secret) = judgement.secret.filter(|_| judgement.code == Code::Valid) else {
            return Err(Error::Unauthenticated);
        };
        held.end = credential.end_of(secret.version);
        held.expect.extend([Expect::unchanged(key), Expect::unchanged(owner)]);
        Ok(held)
    }

    async fn held_by_key(&self, key: &Key) -> Result<Held, Error> {
        self.held_through(&key.roles, &key.permissions, Projects::stored(&key.customers)).await
    }

    async fn held_through(
        &self,
        roles: &[RoleId],
        permissions: &[Grant],
        projects: Projects,
    ) -> Result<Held, Error> {
        // One that is gone grants nothing, and is not made again while a key holds it.
        let found = self.store.roles_named(&ProjectId::system(), roles).await?;
        let missing = roles.iter().filter(|id| found.iter().all(|role| role.id != **id)).cloned().collect();
        let access = Access::of(&found, permissions);
        let expect = found.into_iter().map(Expect::unchanged).collect();
        Ok(Held { access, projects, missing, end: None, expect })
    }
}

impl Held {
    fn holding(&self) -> Holding<'_> {
        Holding { access: &self.access, projects: &self.projects }
    }

    fn is_everything(&self) -> bool {
        self.projects == Projects::All && self.access.covers_grant(&everything())
    }

    /// Whether this covers what `resource` would have.
    fn check(&self, resource: &impl ToString, given: Holding<'_>) -> Result<(), Error> {
        let exceeds =
            |excess| Error::GrantExceedsCaller { resource: resource.to_string(), excess: lacking(excess) };
        self.holding().lacks(given).map_or(Ok(()), |excess| Err(exceeds(excess)))
    }
}

fn everything() -> Grant {
    "*".parse().expect("it is a valid grant")
}

fn lacking(excess: Excess<'_>) -> Lacking {
    let project = |missing| match missing {
        MissingProject::All => Projects::All.to_string(),
        MissingProject::One(id) => ProjectName(ProjectId::clone(id)).to_string(),
    };
    Lacking { permission: excess.permission.map(ToString::to_string), project: excess.project.map(project) }
}
