//! DeleteKey: put a key away until it is purged, or purge it at once.

use crate::{
    domain::{describe, name::KeyName},
    ports::store::Write,
    service::{
        Call, Error, KeyView, Service,
        change::{Failed, Target, check_etag, until_settled},
    },
};

impl Service {
    pub async fn delete_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        let retention = self.load_project(&name.project).await?.retention;
        self.change_key(call, "keys.delete", name, etag, |key, now| {
            key.delete(retention, now).map(Into::into).map_err(super::forbidden(name))
        })
        .await
    }

    /// Leaves nothing of the key but its trail; answers with what it was.
    pub async fn purge_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        until_settled(name, || self.try_purge_key(call, name, etag)).await
    }

    async fn try_purge_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Failed> {
        let key = self.load_key(name).await?;
        check_etag(name, etag, key.revision)?;
        key.purgeable().map_err(super::forbidden(name))?;
        let now = self.clock.now();
        let target = Target {
            action: "keys.purge",
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&key)),
            after: None,
            time: now,
        };
        let purge = Write::PurgeKey { project: key.project.clone(), id: key.id, revision: key.revision };
        self.commit(call, target, Vec::new(), vec![purge]).await?;
        Ok(self.view_key(key, now).await?)
    }
}
