//! UpdateKey: change how a key is described, or its policy.

use domain::{
    access::Grant,
    expiry::Expiry,
    id::{EnvironmentId, RoleId},
    key::{Forbidden, Key},
    labels::{Customer, Metadata, Tag},
    name::{KeyName, ServiceAccountName},
    text::DisplayName,
    time::Timestamp,
};
use ipnet::IpNet;

use crate::verbs::{
    Call, Error, KeyView, Service,
    attempt::AttemptError,
    change::{Edit, check_immutable, forbidden, immutable},
};

use super::{
    create::expiry_field,
    grants::{check_projects, expect_roles},
};

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct KeyPatch {
    pub display_name: Option<DisplayName>,
    pub roles: Option<Vec<RoleId>>,
    pub permissions: Option<Vec<Grant>>,
    pub customers: Option<Vec<Customer>>,
    pub allowed_cidrs: Option<Vec<IpNet>>,
    pub metadata: Option<Metadata>,
    pub tags: Option<Vec<Tag>>,
    pub expiry: Option<Expiry>,
    /// These two cannot change: what the request says they are.
    pub service_account: Option<ServiceAccountName>,
    pub environment: Option<EnvironmentId>,
}

impl KeyPatch {
    fn check_immutable(&self, key: &Key) -> Result<(), Error> {
        check_immutable([
            immutable("key.service_account", self.service_account.as_ref(), &key.owner()),
            immutable("key.environment", self.environment.as_ref(), &key.environment),
        ])
    }
}

const ACTION: &str = "keys.update";

impl Service {
    pub async fn update_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        patch: &KeyPatch,
    ) -> Result<KeyView, Error> {
        let attempt = || self.try_update_key(call, name, etag, patch);
        self.once(call, ACTION, name, attempt, |_| self.get::<Key>(&call.caller, name)).await
    }

    async fn try_update_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        patch: &KeyPatch,
    ) -> Result<KeyView, AttemptError> {
        if let Some(roles) = &patch.roles {
            let key: Key = self.load(&call.caller, name).await?;
            self.check_roles("key.roles", &name.project, &new_roles(roles, &key)).await?;
        }
        let edit = |key: Key, now| {
            let roles = patch.roles.as_deref().unwrap_or_default();
            let expect = expect_roles(&name.project, &new_roles(roles, &key));
            Ok(Edit { after: patch.clone().apply(name, key, now)?, expect, with: () })
        };
        let (view, _) = self.try_change_by_policy(call, ACTION, name, etag, None, edit).await?;
        Ok(view)
    }
}

/// Those of `roles` that `key` does not hold yet. One that it holds may be deleted already, and still to be removed from it.
fn new_roles(roles: &[RoleId], key: &Key) -> Vec<RoleId> {
    roles.iter().filter(|role| !key.roles.contains(role)).cloned().collect()
}

impl KeyPatch {
    /// Whether what `key` may do would change.
    fn grants_otherwise(&self, key: &Key) -> bool {
        self.roles.as_ref().is_some_and(|roles| *roles != key.roles)
            || self.permissions.as_ref().is_some_and(|permissions| *permissions != key.permissions)
            || self.customers.as_ref().is_some_and(|customers| *customers != key.customers)
    }

    fn apply(self, name: &KeyName, mut key: Key, now: Timestamp) -> Result<Key, Error> {
        key.updatable(now).map_err(forbidden(name))?;
        self.check_immutable(&key)?;
        // An end that stays as it is may lie in the past.
        if let Some(expiry) = self.expiry.filter(|expiry| !expiry.is(key.expire_time)) {
            if key.protected && expiry != Expiry::Never {
                return Err(forbidden(name)(Forbidden::Protected { verb: "given an expiry" }));
            }
            let end = expiry.resolve(now).map_err(|why| Error::invalid(expiry_field(expiry), &why))?;
            key.end_at(end);
        }
        if key.protected && key.project.is_system() && self.grants_otherwise(&key) {
            let verb = "given other roles, permissions or projects";
            return Err(forbidden(name)(Forbidden::Protected { verb }));
        }
        if let Some(customers) = self.customers {
            if key.project.is_system() {
                check_projects(&customers)?;
            }
            key.customers = customers;
        }
        key.roles = self.roles.unwrap_or(key.roles);
        key.permissions = self.permissions.unwrap_or(key.permissions);
        key.display_name = self.display_name.unwrap_or(key.display_name);
        key.allowed_cidrs = self.allowed_cidrs.unwrap_or(key.allowed_cidrs);
        key.metadata = self.metadata.unwrap_or(key.metadata);
        key.tags = self.tags.unwrap_or(key.tags);
        key.update_time = now;
        Ok(key)
    }
}
