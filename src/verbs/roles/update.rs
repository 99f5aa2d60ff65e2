//! UpdateRole: change how a role is described, or what it grants.

use domain::{
    access::{EndpointPattern, Grant},
    name::RoleName,
    role::Role,
    text::{Description, DisplayName},
};

use crate::verbs::{Call, Error, RoleView, Service, change::forbidden};

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct RolePatch {
    pub display_name: Option<DisplayName>,
    pub description: Option<Description>,
    /// Sorted, each once, as are the endpoints.
    pub permissions: Option<Vec<Grant>>,
    pub endpoints: Option<Vec<EndpointPattern>>,
}

impl Service {
    pub async fn update_role(
        &self,
        call: &Call,
        name: &RoleName,
        etag: &str,
        patch: &RolePatch,
    ) -> Result<RoleView, Error> {
        self.change(call, "roles.update", name, etag, |mut role: Role, now| {
            role.updatable().map_err(forbidden(name))?;
            let patch = patch.clone();
            role.display_name = patch.display_name.unwrap_or(role.display_name);
            role.description = patch.description.unwrap_or(role.description);
            role.permissions = patch.permissions.unwrap_or(role.permissions);
            role.endpoints = patch.endpoints.unwrap_or(role.endpoints);
            role.update_time = now;
            Ok(role.into())
        })
        .await
    }
}
