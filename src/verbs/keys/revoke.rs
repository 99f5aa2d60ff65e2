//! RevokeKey: refuse a key for ever.

use domain::{key::Key, name::KeyName, text::Reason};

use crate::verbs::{Call, Error, KeyView, Service, change::forbidden};

impl Service {
    pub async fn revoke_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        reason: &Reason,
    ) -> Result<KeyView, Error> {
        self.change(call, "keys.revoke", name, etag, |key: Key, now| {
            key.revoke(reason.clone(), now).map(Into::into).map_err(forbidden(name))
        })
        .await
    }
}
