//! RotateKey: a new secret for a key, with or without grace for the old one.

use std::time::Duration;

use crate::{
    domain::{describe, name::KeyName},
    ports::store::Write,
    service::{
        Call, Error, Issued, Service,
        change::{Failed, Target, check_etag, until_settled},
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
        until_settled(name, || self.try_rotate_key(call, name, etag, grace)).await
    }

    async fn try_rotate_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        grace: Duration,
    ) -> Result<Issued, Failed> {
        if let Some(issued) = self.issued_before(call, ACTION).await? {
            return Ok(issued);
        }
        let before = self.load_key(name).await?;
        check_etag(name, etag, before.revision)?;
        let now = self.clock.now();
        let (api_key, sealed) = self.new_secret(&before.head, before.id);
        let mut after = before.clone().rotate(sealed, grace, now).map_err(super::forbidden(name))?;
        let target = Target {
            action: ACTION,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&before)),
            after: Some(describe::key(&after)),
            time: now,
        };
        after.revision = self.commit(call, target, Vec::new(), vec![Write::UpdateKey(after.clone())]).await?;
        let api_key = (!call.validate_only).then_some(api_key);
        Ok(Issued { key: self.view_key(after, now).await?, api_key, repeated: false })
    }
}
