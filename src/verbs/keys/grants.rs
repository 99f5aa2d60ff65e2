//! What is granted to a key: the roles that it holds, and for a key of the system project the projects that it may act on.

use domain::{
    Invalid,
    access::Projects,
    id::{ProjectId, RoleId},
    key::Key,
    labels::Customer,
    name::RoleName,
    time::Timestamp,
};

use crate::{
    ports::{commits::Expect, write::Write},
    verbs::{
        Error, FieldFault, Service,
        step::{Step, Target},
    },
};

impl Service {
    /// Checks that `roles` of `project`, which `field` of a request names, exist.
    pub(in crate::verbs) async fn check_roles(
        &self,
        field: &str,
        project: &ProjectId,
        roles: &[RoleId],
    ) -> Result<(), Error> {
        let found = self.store.roles_named(project, roles).await?;
        let missing = roles.iter().filter(|id| found.iter().all(|role| role.id != **id));
        let fault = |id: &RoleId| {
            let name = RoleName { project: project.clone(), role: id.clone() };
            FieldFault::new(field, &Invalid::new(format!("has {name}, which does not exist")))
        };
        let faults: Vec<_> = missing.map(fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }
}

/// What must hold when a key of `project` is given `roles`: they still exist.
pub(in crate::verbs) fn expect_roles(project: &ProjectId, roles: &[RoleId]) -> Vec<Expect> {
    let name = |id: &RoleId| RoleName { project: project.clone(), role: id.clone() };
    roles.iter().map(|id| Expect::Role(name(id))).collect()
}

/// The step of a commit that removes the deleted `role` from `key`.
pub(in crate::verbs) fn removal_of_role(key: &Key, role: &RoleId, now: Timestamp) -> Step {
    let after = key.clone().without_role(role, now);
    Target::changed("keys.remove_role", key, &after, now).by(Write::TakeRole(after, role.clone()))
}

/// Checks the projects that a key of the system project may act on: it must name some.
pub(super) fn check_projects(customers: &[Customer]) -> Result<(), Error> {
    Projects::named_by(customers).map(drop).map_err(|why| Error::invalid("key.customers", &why))
}
