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
    /// What must hold when a key of `project` is given `roles`: they exist.
    pub(super) async fn expect_roles(
        &self,
        project: &ProjectId,
        roles: &[RoleId],
    ) -> Result<Vec<Expect>, Error> {
        let mut faults = Vec::new();
        let mut expect = Vec::with_capacity(roles.len());
        for id in roles {
            let name = RoleName { project: project.clone(), role: id.clone() };
            if self.store.role(project, id).await?.is_none() {
                let why = Invalid::new(format!("has {name}, which does not exist"));
                faults.push(FieldFault::new("key.roles", &why));
            }
            expect.push(Expect::Role(name));
        }
        if faults.is_empty() { Ok(expect) } else { Err(Error::Invalid(faults)) }
    }
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
