//! UndeleteKey: bring a deleted key back as it was.

use domain::{key::Key, name::KeyName};

use crate::{
    ports::commits::Expect,
    verbs::{
        Call, Error, KeyView, Service,
        change::{Edit, forbidden},
    },
};

impl Service {
    pub async fn undelete_key(&self, call: &Call, name: &KeyName, etag: &str) -> Result<KeyView, Error> {
        self.change_by_policy(call, "keys.undelete", name, etag, |key: Key, now| {
            let owner = Expect::Owner(key.owner(), key.account_generation);
            let after = key.undelete(now).map_err(forbidden(name))?;
            Ok(Edit { after, expect: vec![owner], with: () })
        })
        .await
    }
}
