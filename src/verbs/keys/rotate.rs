//! RotateKey: a new secret for a key, with or without grace for the old one.

use std::time::Duration;

use domain::{
    describe,
    name::{KeyName, ServiceAccountName},
};

use crate::{
    ports::store::{Expect, Write},
    verbs::{
        Call, Error, Issued, Service,
        change::{Failed, Target, check_etag},
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
        let again = |target| self.issued_before(target);
        self.once(call, ACTION, name, || self.try_rotate_key(call, name, etag, grace), again).await
    }

    async fn try_rotate_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        grace: Duration,
    ) -> Result<Issued, Failed> {
        let before = self.load_key(name).await?;
        check_etag(name, etag, before.revision)?;
        let now = self.clock.now();
        let (api_key, sealed) = self.new_secret(&before.head, before.id);
        let after = before.clone().rotate(sealed, grace, now).map_err(super::forbidden(name))?;
        let target = Target {
            action: ACTION,
            project: name.project.clone(),
            name: name.to_string(),
            before: Some(describe::key(&before)),
            after: Some(describe::key(&after)),
            time: now,
        };
        let mut view = self.view_key(after.clone(), now).await?;
        // While the keys of a deleted account follow it, no new secret is issued for them.
        let owner = ServiceAccountName {
            project: name.project.clone(),
            service_account: before.service_account.clone(),
        };
        let expect = Expect::ServiceAccount(
            name.project.clone(),
            before.service_account.clone(),
            before.account_generation,
        );
        let committed = self.commit(call, target, vec![expect], vec![Write::UpdateKey(after)]).await;
        view.key.revision = committed.map_err(|failed| match failed {
            Failed::For(Error::OwnerGone { .. }) => {
                Failed::For(Error::OwnerGone { resource: owner.to_string() })
            }
            other => other,
        })?;
        let api_key = (!call.validate_only).then_some(api_key);
        Ok(Issued { key: view, api_key, repeated: false })
    }
}
