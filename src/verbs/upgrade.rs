//! From a version without roles to this one, once. Keys of the system project could do everything, so they get the role `root`.
//! Projects that a replica of that version created after the schema was changed get the built-in roles.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use domain::{
    id::{ProjectId, RoleId},
    key::Key,
    page::{Order, Page},
    role::built_in,
};

use crate::ports::{cleanup::KeyAt, commits::Expect, write::Write};

use super::{
    Call, Error, Service,
    attempt::{AttemptError, until_settled},
    bootstrap::root_role,
    projects::all_projects,
    step::{Step, Target},
};

const PORTION: u64 = 100;

/// What the upgrade is recorded by.
const NAME: &str = "access";

/// What became of the keys from before there were roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Those that this process gave the role.
    pub keys: usize,
    /// Those that cannot be read. They hold nothing.
    pub unreadable: usize,
}

impl Service {
    /// Does all of it, each in a change of its own, unless it is recorded as done. Replicas may do this side by side. Once it is
    /// done, a key without roles holds nothing, wherever it comes from.
    pub async fn upgrade_access(&self) -> Result<Upgraded, Error> {
        if self.store.is_upgraded(NAME).await? {
            return Ok(Upgraded::default());
        }
        until_settled(&"a project from before there were roles", || self.add_built_in_roles()).await?;
        let upgraded = self.give_root_to_old_keys().await?;
        self.store.record_upgrade(NAME).await?;
        Ok(upgraded)
    }

    /// Stale if one of the projects was changed meanwhile.
    async fn add_built_in_roles(&self) -> Result<(), AttemptError> {
        // All roles of a project are created together.
        let one_of_them: RoleId = "privileged".parse().expect("it is a valid id");
        loop {
            let projects = self.store.projects_without_role(&one_of_them, PORTION).await?;
            if projects.is_empty() {
                return Ok(());
            }
            for id in projects {
                let project = self.store.project(&id).await?.ok_or(AttemptError::Stale)?;
                let now = self.clock.now();
                let roles = built_in(&id, now).into_iter();
                let steps = roles.map(|role| Step::create("roles.create", role, now)).collect();
                match self.commit_together(&Call::own(), vec![Expect::unchanged(project)], steps, 0).await {
                    // Another replica was first.
                    Err(AttemptError::Final(Error::AlreadyExists { .. })) => return Err(AttemptError::Stale),
                    created => created.map(drop)?,
                }
            }
        }
    }

    async fn give_root_to_old_keys(&self) -> Result<Upgraded, Error> {
        let keys = AtomicUsize::new(0);
        // A conflict mostly means that another replica was first; one more pass shows whether it was.
        let unreadable =
            until_settled(&"a key from before there were roles", || self.upgrade_all(&keys)).await?;
        Ok(Upgraded { keys: keys.into_inner(), unreadable })
    }

    /// One pass over them, which counts those that it upgrades and answers with the number of those that cannot be read.
    /// Stale if one of them was changed meanwhile.
    async fn upgrade_all(&self, upgraded: &AtomicUsize) -> Result<usize, AttemptError> {
        let (mut after, mut changed, mut unreadable) = (None, false, 0);
        loop {
            let page = Page { size: PORTION, order: Order { by: (), descending: false }, after };
            let keys = self.store.keys_from_before_roles(&ProjectId::system(), page).await?;
            let Some(last) = keys.last() else { break };
            after = Some(last.cursor.clone());
            for KeyAt { key, .. } in keys {
                let Ok(key) = key else {
                    unreadable += 1;
                    continue;
                };
                match self.give_root(&key).await {
                    Ok(()) => _ = upgraded.fetch_add(1, Relaxed),
                    Err(AttemptError::Stale) => changed = true,
                    Err(error) => return Err(error),
                }
            }
        }
        if changed { Err(AttemptError::Stale) } else { Ok(unreadable) }
    }

    async fn give_root(&self, old: &Key) -> Result<(), AttemptError> {
        let now = self.clock.now();
        let mut key = old.clone();
        key.roles = vec![root_role()];
        // One with a list was no caller before. What it lists stays all that it may act on.
        if key.customers.is_empty() {
            key.customers = vec![all_projects()];
        }
        key.update_time = now;
        let step = Target::changed("keys.update", old, &key, now).by(Write::update(key));
        self.commit(&Call::own(), Vec::new(), step).await.map(drop)
    }
}
