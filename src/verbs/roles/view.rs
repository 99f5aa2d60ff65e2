//! What answers show of a role.

use domain::{Revision, name::RoleName, role::Role, time::Timestamp};

use crate::{
    ports::StoreError,
    verbs::{
        Caller, Creator, Service,
        managed::{Managed, View},
    },
};

#[derive(Debug, Clone)]
pub struct RoleView {
    pub role: Role,
    pub creator: Option<Creator>,
}

impl Managed for Role {
    type View = RoleView;

    async fn find(service: &Service, name: &RoleName) -> Result<Option<Self>, StoreError> {
        service.store.role(&name.project, &name.role).await
    }

    async fn views(
        service: &Service,
        caller: &Caller,
        roles: Vec<Self>,
        _: Timestamp,
    ) -> Result<Vec<RoleView>, StoreError> {
        let creators = service.creators(caller, roles.iter().filter_map(|it| it.created_by.as_ref())).await?;
        let view =
            |role: Self| RoleView { creator: creators.at(role.created_by.as_ref(), role.create_time), role };
        Ok(roles.into_iter().map(view).collect())
    }
}

impl View for RoleView {
    fn show_revision(&mut self, revision: Revision) {
        self.role.revision = revision;
    }
}
