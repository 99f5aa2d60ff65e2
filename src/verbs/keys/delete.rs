//! DeleteKey: put a key away until it is purged, or purge it at once.

use domain::{describe, key::Key, name::KeyName, service_account::ServiceAccount, time::Timestamp};

use crate::{
    ports::store::Write,
    verbs::{
        Call, Error, KeyView, Service,
        change::{Failed, Step, Target, check_etag},
        service_accounts::deletion_of,
    },
};

const PURGE: &str = "keys.purge";

impl Service {
    pub async fn delete_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        let retention = self.load_project(&name.project).await?.retention;
        self.change_key(call, "keys.delete", name, etag, |key, now| {
            key.delete(retention, now).map(Into::into).map_err(super::forbidden(name))
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
    ) -> Result<Option<KeyView>, Failed> {
        let key = self.load_key(name).await?;
        check_etag(name, etag, key.revision)?;
        key.purgeable().map_err(super::forbidden(name))?;
        let steps = self.purge_steps(std::slice::from_ref(&key)).await?;
        let view = self.view_key(key, self.clock.now()).await?;
        self.commit_together(call, Vec::new(), steps, 0).await?;
        Ok(Some(view))
    }

    /// The steps of a commit that purges `keys`, in their order, and then deletes the implicit accounts that own
    /// nothing else.
    pub(in crate::verbs) async fn purge_steps(&self, keys: &[Key]) -> Result<Vec<Step>, Error> {
        let now = self.clock.now();
        let owners = self.store.implicit_owners(keys).await?;
        let purges = keys.iter().map(|key| purge_of(key, now));
        Ok(purges.chain(owners.iter().map(|account| unused(account, now))).collect())
    }
}

/// The step of a commit that purges `key`.
pub(in crate::verbs) fn purge_of(key: &Key, now: Timestamp) -> Step {
    let name = KeyName { project: key.project.clone(), key: key.id };
    let target = Target {
        action: PURGE,
        project: key.project.clone(),
        name: name.to_string(),
        before: Some(describe::key(key)),
        after: None,
        time: now,
    };
    (target, vec![Write::PurgeKey { project: key.project.clone(), id: key.id, revision: key.revision }])
}

/// The step that deletes `account`, if it owns no key by then.
fn unused(account: &ServiceAccount, now: Timestamp) -> Step {
    let (target, _) = deletion_of(account, now);
    let delete = Write::DeleteUnusedServiceAccount {
        project: account.project.clone(),
        id: account.id.clone(),
        revision: account.revision,
    };
    (target, vec![delete])
}
