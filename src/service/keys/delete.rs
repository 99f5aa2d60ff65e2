//! DeleteKey: put a key away until it is purged, or purge it at once.

use crate::{
    domain::{describe, name::KeyName},
    ports::store::Write,
    service::{
        Call, Error, KeyView, Service,
        change::{Failed, Target, check_etag},
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
        let now = self.clock.now();
        let target = Target {
            action: PURGE,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&key)),
            after: None,
            time: now,
        };
        let purge = Write::PurgeKey { project: key.project.clone(), id: key.id, revision: key.revision };
        let view = self.view_key(key, now).await?;
        self.commit(call, target, Vec::new(), vec![purge]).await?;
        Ok(Some(view))
    }
}
