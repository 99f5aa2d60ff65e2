//! RevokeKey: refuse a key for ever.

use domain::{name::KeyName, text::Reason};

use crate::verbs::{Call, Error, KeyView, Service};

impl Service {
    pub async fn revoke_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        reason: &Reason,
    ) -> Result<KeyView, Error> {
        self.change_key(call, "keys.revoke", name, etag, |key, now| {
            key.revoke(reason.clone(), now).map(Into::into).map_err(super::forbidden(name))
        })
        .await
    }
}
