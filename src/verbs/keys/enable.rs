//! EnableKey: take a disabled key back into service.

use domain::name::KeyName;

use crate::verbs::{Call, Error, KeyView, Service};

impl Service {
    pub async fn enable_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        self.change_key(call, "keys.enable", name, etag, |key, now| {
            key.enable(now).map(Into::into).map_err(super::forbidden(name))
        })
        .await
    }
}
