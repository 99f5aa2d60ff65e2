//! RotateKey: a new secret for a key, with or without grace for the old one.

use std::time::Duration;

use domain::{key::Key, name::KeyName};

use crate::{
    ports::commits::Expect,
    verbs::{
        Call, Error, Issued, Service,
        attempt::AttemptError,
        change::{Edit, forbidden},
    },
};

const ACTION: &str = "keys.rotate";

impl Service {
    pub async fn rotate_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        grace: Duration,
    ) -> Result<Issued, Error> {
        let again = |target| self.issued_before(&call.caller, target);
        self.once(call, ACTION, name, || self.try_rotate_key(call, name, etag, grace), again).await
    }

    async fn try_rotate_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        grace: Duration,
    ) -> Result<Issued, AttemptError> {
        let rotate = |key: Key, now| {
            let (api_key, sealed) = self.new_secret(&key.token_prefix, key.id);
            // While the keys of a deleted account follow it, no new secret is issued for them.
            let owner = Expect::Owner(key.owner(), key.account_generation);
            let after = key.rotate(sealed, grace, now).map_err(forbidden(name))?;
            Ok(Edit { after, expect: vec![owner], with: api_key })
        };
        let (key, api_key) = self.try_change_by_policy(call, ACTION, name, etag, Some(grace), rotate).await?;
        let api_key = api_key.filter(|_| !call.validate_only);
        Ok(Issued { key, api_key, repeated: false })
    }
}
