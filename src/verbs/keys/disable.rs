//! DisableKey: refuse a key until it is enabled again.

use domain::name::KeyName;

use crate::verbs::{Call, Error, KeyView, Service};

impl Service {
    pub async fn disable_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        self.change_key(call, "keys.disable", name, etag, |key, now| {
            key.disable(now).map(Into::into).map_err(super::forbidden(name))
        })
        .await
    }
}
