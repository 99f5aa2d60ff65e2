//! UpdateKey: change how a key is described, or its policy.

use domain::{
    access::Grant,
    expiry::Expiry,
    id::{EnvironmentId, RoleId},
    key::{Forbidden, Key},
    labels::{Customer, Metadata, Tag},
    name::{KeyName, ServiceAccountName},
    text::DisplayName,
};
use ipnet::IpNet;

use crate::verbs::{
    Call, Error, KeyView, Service,
    change::{Edit, check_immutable, forbidden, immutable},
};

use super::{create::expiry_field, grants::check_projects};

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

impl Service {
    pub async fn update_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        patch: &KeyPatch,
    ) -> Result<KeyView, Error> {
        let expect_roles = match patch.roles.as_deref() {
            Some(roles @ [_, ..]) => {
                // A caller that may not act on the project learns nothing of its roles.
                let project = self.load_project(&call.caller, &name.project).await;
                project.map_err(|error| match error {
                    Error::NotFound { .. } => Error::not_found(name),
                    error => error,
                })?;
                self.expect_roles(&name.project, roles).await?
            }
            _ => Vec::new(),
        };
        self.change_by_policy(call, "keys.update", name, etag, |mut key: Key, now| {
            key.updatable(now).map_err(forbidden(name))?;
            let patch = patch.clone();
            patch.check_immutable(&key)?;
            // An end that stays as it is may lie in the past.
            if let Some(expiry) = patch.expiry.filter(|expiry| !expiry.is(key.expire_time)) {
                if key.protected && expiry != Expiry::Never {
                    return Err(forbidden(name)(Forbidden::Protected { verb: "given an expiry" }));
                }
                let end = expiry.resolve(now).map_err(|why| Error::invalid(expiry_field(expiry), &why))?;
                key.end_at(end);
            }
            if let Some(customers) = patch.customers {
                if key.project.is_system() {
                    check_projects(&customers)?;
                }
                key.customers = customers;
            }
            key.roles = patch.roles.unwrap_or(key.roles);
            key.permissions = patch.permissions.unwrap_or(key.permissions);
            key.display_name = patch.display_name.unwrap_or(key.display_name);
            key.allowed_cidrs = patch.allowed_cidrs.unwrap_or(key.allowed_cidrs);
            key.metadata = patch.metadata.unwrap_or(key.metadata);
            key.tags = patch.tags.unwrap_or(key.tags);
            key.update_time = now;
            Ok(Edit { after: key, expect: expect_roles.clone(), with: () })
        })
        .await
    }
}
