//! UndeleteKey: bring a deleted key back as it was.

use domain::name::{KeyName, ServiceAccountName};

use crate::{
    ports::store::Expect,
    verbs::{Call, Error, KeyView, Service, change::Edit},
};

impl Service {
    pub async fn undelete_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        let changed = self.change_key(call, "keys.undelete", name, etag, |key, now| {
            let key = key.undelete(now).map_err(super::forbidden(name))?;
            let owner = Expect::ServiceAccount(
                key.project.clone(),
                key.service_account.clone(),
                key.account_generation,
            );
            Ok(Edit { key, expect: vec![owner] })
        });
        match changed.await {
            Err(Error::OwnerGone { .. }) => {
                let service_account = self.load_key(name).await?.service_account;
                let owner = ServiceAccountName { project: name.project.clone(), service_account };
                Err(Error::OwnerGone { resource: owner.to_string() })
            }
            changed => changed,
        }
    }
}
