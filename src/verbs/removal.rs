//! What a deleted project, account or role leaves behind follows it, in portions, so that no other change waits long.
//!
//! The deletion comes first, in a commit of its own: from then on nothing that an owner owned verifies, and a role grants
//! nothing. Then come the keys. The call that began it continues for a while; housekeeping does the rest, on any replica.

use std::time::Duration;

use domain::{
    filter::Filter,
    key::Key,
    page::{Cursor, Order, Page},
    query::{AccountOrder, RoleOrder, RoleTest},
    removal::{Removal, Removed},
    time::Timestamp,
};
use tokio::sync::Notify;

use crate::ports::{
    StoreError,
    cleanup::{KeyAt, Removable},
};

use super::{
    Call, Caller, Error, Service,
    attempt::{AttemptError, until_settled},
    keys::{deletion_after_owner, purge, removal_of_role},
    roles, service_accounts,
    step::Step,
};

/// How many keys go in one commit: each takes a few statements, while all other changes wait.
const PORTION: u64 = 50;

/// Of so many parts of the time, one at the most goes into portions: all other changes have the rest.
const SHARE: u32 = 4;

/// How long a call continues with what it began before it answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to leave the database to other changes after a portion that took this long, their turns included.
pub(super) fn rest_after(portion: Duration) -> Duration {
    portion * (SHARE - 1)
}

/// How far a walk through keys that are to go has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    after: Option<Cursor>,
    /// Keys that are gone or deleted, or no longer hold the role.
    pub(super) done: usize,
    /// Keys that could not be read or written, and are still there.
    pub(super) skipped: usize,
}

impl Service {
    /// Goes on for a while with the removal that `call` has begun.
    pub(super) async fn follow(&self, call: &Call, removal: &Removal) {
        if call.validate_only {
            return;
        }
        let mut left_over = LeftOver(Some(&self.left_over));
        let end = self.clock.uptime() + PATIENCE;
        let mut progress = Progress::default();
        loop {
            let began = self.clock.uptime();
            match self.remove_portion(removal, &mut progress).await {
                // Housekeeping is at it as well, here or elsewhere.
                Ok(true) | Err(Error::Conflict { .. }) => {}
                Ok(false) => {
                    left_over.0 = None;
                    return;
                }
                // The deletion is made; housekeeping reports what fails after it.
                Err(_) => return,
            }
            let now = self.clock.uptime();
            let rest = rest_after(now.saturating_sub(began));
            if now + rest >= end {
                return;
            }
            self.clock.sleep(rest).await;
        }
    }

    /// Takes the next portion of `removal`, and says whether there may be more.
    pub(super) async fn remove_portion(
        &self,
        removal: &Removal,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let fate = Fate::Removed(removal);
        if self.next_portion(fate, progress).await? {
            return Ok(true);
        }
        if progress.skipped > 0 {
            return Ok(false);
        }
        if self.remove_accounts(removal).await? || self.remove_roles(removal).await? {
            return Ok(true);
        }
        self.store.finish(removal).await?;
        Ok(false)
    }

    /// Purges the next portion of the keys whose time has come.
    pub(super) async fn purge_portion(&self, progress: &mut Progress) -> Result<bool, Error> {
        self.next_portion(Fate::Due(self.clock.now()), progress).await
    }

    async fn next_portion(&self, fate: Fate<'_>, progress: &mut Progress) -> Result<bool, Error> {
        let after = &progress.after;
        let portion = until_settled(&"a portion of keys", || self.try_portion(fate, after.clone())).await?;
        let Some(portion) = portion else { return Ok(false) };
        progress.after = Some(portion.end);
        progress.done += portion.done;
        progress.skipped += portion.skipped;
        Ok(true)
    }

    async fn try_portion(
        &self,
        fate: Fate<'_>,
        after: Option<Cursor>,
    ) -> Result<Option<Portion>, AttemptError> {
        let rows = self.store.keys_to_remove(fate.keys(), after, PORTION).await?;
        let Some(KeyAt { cursor, .. }) = rows.last() else { return Ok(None) };
        let mut portion = Portion { end: cursor.clone(), done: 0, skipped: 0 };
        let (keys, unreadable): (Vec<_>, Vec<_>) =
            rows.into_iter().map(|row| row.key).partition(Result::is_ok);
        let keys: Vec<Key> = keys.into_iter().flatten().collect();
        portion.skipped += unreadable.len();
        match self.remove_together(fate, &keys).await {
            Ok(()) => portion.done += keys.len(),
            Err(AttemptError::Final(Error::Store(StoreError::Broken(_)))) => {
                // One that cannot be written spoils no other.
                for key in keys.chunks(1) {
                    match self.remove_together(fate, key).await {
                        Ok(()) => portion.done += 1,
                        Err(AttemptError::Final(Error::Store(StoreError::Broken(_)))) => portion.skipped += 1,
                        Err(failed) => return Err(failed),
                    }
                }
            }
            Err(failed) => return Err(failed),
        }
        Ok(Some(portion))
    }

    async fn remove_together(&self, fate: Fate<'_>, keys: &[Key]) -> Result<(), AttemptError> {
        let now = self.clock.now();
        let steps = match fate {
            Fate::Due(_) => self.purge_steps(keys).await?,
            Fate::Removed(Removal { of: Removed::Project(_), .. }) => {
                keys.iter().map(|key| purge(key, now)).collect()
            }
            Fate::Removed(Removal { of: Removed::ServiceAccount { deletion, .. }, .. }) => {
                keys.iter().map(|key| deletion_after_owner(key, *deletion, now)).collect()
            }
            Fate::Removed(Removal { of: Removed::Role(name), .. }) => {
                keys.iter().map(|key| removal_of_role(key, &name.role, now)).collect()
            }
        };
        self.commit_all(&fate.call(), steps).await
    }

    /// Deletes a portion of the accounts that a project leaves behind, and says whether there were any.
    async fn remove_accounts(&self, removal: &Removal) -> Result<bool, Error> {
        let Removed::Project(id) = &removal.of else { return Ok(false) };
        let order = Order { by: AccountOrder::CreateTime, descending: false };
        until_settled(&removal.of.name(), || async {
            let page = Page { size: PORTION, order, after: None };
            let accounts = self.store.service_accounts(id, &Filter::everything(), page).await?;
            let now = self.clock.now();
            let steps: Vec<_> =
                accounts.iter().map(|account| service_accounts::deletion(account, now)).collect();
            self.commit_all(&Fate::Removed(removal).call(), steps).await?;
            Ok(!accounts.is_empty())
        })
        .await
    }

    /// Deletes a portion of the custom roles that a project leaves behind, and says whether there were any. The built-in ones
    /// go with the project's row, as they were created with it.
    async fn remove_roles(&self, removal: &Removal) -> Result<bool, Error> {
        let Removed::Project(id) = &removal.of else { return Ok(false) };
        let order = Order { by: RoleOrder::CreateTime, descending: false };
        let custom = Filter::Not(Box::new(Filter::Test(RoleTest::BuiltIn)));
        until_settled(&removal.of.name(), || async {
            let roles = self.store.roles(id, &custom, Page { size: PORTION, order, after: None }).await?;
            let now = self.clock.now();
            let steps: Vec<_> = roles.iter().map(|role| roles::deletion(role, now)).collect();
            self.commit_all(&Fate::Removed(removal).call(), steps).await?;
            Ok(!roles.is_empty())
        })
        .await
    }

    async fn commit_all(&self, call: &Call, steps: Vec<Step>) -> Result<(), AttemptError> {
        if steps.is_empty() {
            return Ok(());
        }
        self.commit_together(call, Vec::new(), steps, 0).await.map(drop)
    }
}

/// Wakes housekeeping when a call ends before its removal has, also when its caller gives up.
struct LeftOver<'a>(Option<&'a Notify>);

impl Drop for LeftOver<'_> {
    fn drop(&mut self) {
        if let Some(housekeeping) = self.0 {
            housekeeping.notify_one();
        }
    }
}

struct Portion {
    end: Cursor,
    done: usize,
    skipped: usize,
}

/// Why keys go, or change.
#[derive(Clone, Copy)]
enum Fate<'a> {
    /// Their time has come.
    Due(Timestamp),
    /// Their owner is gone, or a role of theirs.
    Removed(&'a Removal),
}

impl<'a> Fate<'a> {
    fn keys(self) -> Removable<'a> {
        match self {
            Self::Due(now) => Removable::Due(now),
            Self::Removed(removal) => Removable::LeftBehind(&removal.of),
        }
    }

    /// In whose name that is.
    fn call(self) -> Call {
        match self {
            Self::Due(_) => Call::own(),
            Self::Removed(removal) => {
                Call::once_by(Caller::completing(removal.actor.clone(), removal.peer.clone()))
            }
        }
    }
}
