//! GetKey.

use domain::name::KeyName;

use crate::verbs::{Error, KeyView, Service};

impl Service {
    pub async fn get_key(&self, name: &KeyName) -> Result<KeyView, Error> {
        let key = self.load_key(name).await?;
        Ok(self.view_key(key, self.clock.now()).await?)
    }
}
