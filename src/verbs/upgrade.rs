//! Keys of the system project from before there were roles: they could do everything, so they get the role `root`.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use domain::{
    id::ProjectId,
    key::Key,
    page::{Order, Page},
};

use crate::ports::{cleanup::KeyAt, write::Write};

use super::{
    Call, Error, Service,
    attempt::{AttemptError, until_settled},
    bootstrap::root_role,
    projects::all_projects,
    step::Target,
};

const PORTION: u64 = 100;

/// What became of the keys from before there were roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Those that this process gave the role.
    pub keys: usize,
    /// Those that cannot be read. They hold nothing.
    pub unreadable: usize,
}

impl Service {
    /// Gives each of them the role `root` for all projects, in a change of its own. Replicas may do this side by side.
    pub async fn give_root_to_old_keys(&self) -> Result<Upgraded, Error> {
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
        key.customers = vec![all_projects()];
        key.update_time = now;
        let step = Target::changed("keys.update", old, &key, now).by(Write::update(key));
        self.commit(&Call::own(), Vec::new(), step).await.map(drop)
    }
}
