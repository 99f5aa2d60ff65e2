//! CreateRole.

use domain::{
    access::{EndpointPattern, Grant},
    id::{ProjectId, RoleId},
    name::RoleName,
    role::Role,
    text::{Description, DisplayName},
};

use crate::{
    ports::commits::Expect,
    verbs::{Call, Error, RoleView, Service, attempt::AttemptError},
};

#[derive(Debug, Clone)]
pub struct NewRole {
    pub project: ProjectId,
    pub id: RoleId,
    pub display_name: DisplayName,
    pub description: Description,
    /// Sorted, each once, as are the endpoints.
    pub permissions: Vec<Grant>,
    pub endpoints: Vec<EndpointPattern>,
}

const ACTION: &str = "roles.create";

/// Most roles of a project. Some listings look through all of them.
const MOST: u32 = 1_000;

impl Service {
    pub async fn create_role(&self, call: &Call, new: NewRole) -> Result<RoleView, Error> {
        let name = RoleName { project: new.project.clone(), role: new.id.clone() };
        let again = |target| self.get_made::<Role>(&call.caller, target);
        self.once(call, ACTION, &name, || self.try_create_role(call, &new, &name), again).await
    }

    async fn try_create_role(
        &self,
        call: &Call,
        new: &NewRole,
        name: &RoleName,
    ) -> Result<RoleView, AttemptError> {
        let project = self.load_project(&call.caller, &new.project).await?;
        let now = self.clock.now();
        let role = Role {
            project: new.project.clone(),
            id: new.id.clone(),
            display_name: new.display_name.clone(),
            description: new.description.clone(),
            permissions: new.permissions.clone(),
            endpoints: new.endpoints.clone(),
            built_in: false,
            created_by: call.caller.service_account(),
            create_time: now,
            update_time: now,
            revision: 0,
        };
        let expect = vec![
            Expect::RolesBelow(project.id.clone(), MOST),
            Expect::unchanged(project),
            // Keys that held a role of the same id must not get this one.
            Expect::NoRemoval(name.clone()),
        ];
        self.try_create(call, ACTION, role, expect, Vec::new(), now).await
    }
}
