//! ListRoles: filtered, ordered, in pages.

use domain::{
    filter::Filter,
    id::ProjectId,
    page::{Cursor, Id, Page, SortValue},
    query::{RoleOrder, RoleTest},
    role::Role,
};

use crate::verbs::{Caller, Error, Listing, RoleView, Service, managed::Managed};

#[derive(Debug)]
pub struct ListRoles {
    pub project: ProjectId,
    pub filter: Filter<RoleTest>,
    pub page: Page<RoleOrder>,
}

impl Service {
    pub async fn list_roles(&self, caller: &Caller, request: ListRoles) -> Result<Listing<RoleView>, Error> {
        self.load_project(caller, &request.project).await?;
        let by = request.page.order.by;
        let read = |page| self.store.roles(&request.project, &request.filter, page);
        let mut listing = Listing::in_portions(request.page, |role| cursor(role, by), bytes, read).await?;
        let views = Role::views(self, caller, std::mem::take(&mut listing.items), self.clock.now()).await?;
        Ok(listing.with(views))
    }
}

/// What its lists take in a response, at least.
fn bytes(role: &Role) -> usize {
    let permissions = role.permissions.iter().map(|it| it.as_str().len());
    permissions.chain(role.endpoints.iter().map(|it| it.as_str().len())).sum()
}

/// The position of `role` in an order.
pub(in crate::verbs) fn cursor(role: &Role, by: RoleOrder) -> Cursor {
    Cursor {
        value: match by {
            RoleOrder::CreateTime => SortValue::Number(role.create_time.as_micros()),
            RoleOrder::DisplayName => SortValue::Text(role.display_name.to_string()),
        },
        id: Id::Text(role.id.to_string()),
    }
}
