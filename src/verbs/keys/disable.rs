//! DisableKey: refuse a key until it is enabled again.

use domain::{key::Key, name::KeyName};

use crate::verbs::{Call, Error, KeyView, Service, change::forbidden};

impl Service {
    pub async fn disable_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        self.change(call, "keys.disable", name, etag, |key: Key, now| {
            key.disable(now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }
}
