//! EnableKey: take a disabled key back into service.

use domain::{key::Key, name::KeyName};

use crate::verbs::{Call, Error, KeyView, Service, change::forbidden};

impl Service {
    pub async fn enable_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        self.change_by_policy(call, "keys.enable", name, etag, |key: Key, now| {
            key.enable(now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }
}
