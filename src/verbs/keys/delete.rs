//! DeleteKey: put a key away until it is purged, or purge it at once.

use domain::{
    key::{Deletion, Key},
    name::KeyName,
    time::Timestamp,
};

use crate::{
    ports::write::Write,
    verbs::{
        Call, Error, KeyView, Service,
        attempt::AttemptError,
        change::forbidden,
        service_accounts::unused,
        step::{Step, Target},
    },
};

const DELETE: &str = "keys.delete";
const PURGE: &str = "keys.purge";

impl Service {
    pub async fn delete_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        let retention = self.load_project(&call.caller, &name.project).await?.retention;
        self.change(call, DELETE, name, etag, |key: Key, now| {
            key.delete(retention, now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }

    /// Leaves nothing of the key but its trail; answers with what it was, if it was there.
    pub async fn purge_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<Option<KeyView>, Error> {
        let again = |_| std::future::ready(Ok(None));
        self.once(call, PURGE, name, || self.try_purge_key(call, name, etag), again).await
    }

    async fn try_purge_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
    ) -> Result<Option<KeyView>, AttemptError> {
        let key: Key = self.load_expected(call, name, etag).await?;
        key.purgeable().map_err(forbidden(name))?;
        let steps = self.purge_steps(std::slice::from_ref(&key)).await?;
        let view = self.view(&call.caller, key, self.clock.now()).await?;
        self.commit_together(call, Vec::new(), steps, 0).await?;
        Ok(Some(view))
    }

    /// The steps of a commit that purges `keys`, in their order, and then deletes the implicit accounts that own
    /// nothing else.
    pub(in crate::verbs) async fn purge_steps(&self, keys: &[Key]) -> Result<Vec<Step>, Error> {
        let now = self.clock.now();
        let owners = self.store.implicit_owners(keys).await?;
        let purges = keys.iter().map(|key| purge(key, now));
        Ok(purges.chain(owners.iter().map(|account| unused(account, now))).collect())
    }
}

/// The step of a commit that purges `key`.
pub(in crate::verbs) fn purge(key: &Key, now: Timestamp) -> Step {
    Step::delete(PURGE, key, now)
}

/// The step of a commit that deletes `key` after its owner.
pub(in crate::verbs) fn deletion_after_owner(key: &Key, deletion: Deletion, now: Timestamp) -> Step {
    let after = key.clone().follow_owner(deletion, now);
    Target::changed(DELETE, key, &after, now).by(Write::DeleteAfterOwner(after))
}
