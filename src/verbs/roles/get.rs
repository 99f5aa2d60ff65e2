//! GetRole.

use domain::{name::RoleName, role::Role};

use crate::verbs::{Caller, Error, RoleView, Service};

impl Service {
    pub async fn get_role(&self, caller: &Caller, name: &RoleName) -> Result<RoleView, Error> {
        self.get::<Role>(caller, name).await
    }
}
