//! GetKey.

use domain::{key::Key, name::KeyName};

use crate::verbs::{Caller, Error, KeyView, Service};

impl Service {
    pub async fn get_key(&self, caller: &Caller, name: &KeyName) -> Result<KeyView, Error> {
        self.get::<Key>(caller, name).await
    }
}
