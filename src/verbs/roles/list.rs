//! ListRoles: filtered, ordered, in pages.

use domain::{
    filter::Filter,
    id::ProjectId,
    page::{Cursor, Id, Page, SortValue},
    query::{RoleOrder, RoleTest},
    role::Role,
};

use crate::verbs::{Caller, Error, Listing, RoleView, Service};

#[derive(Debug)]
pub struct ListRoles {
    pub project: ProjectId,
    pub filter: Filter<RoleTest>,
    pub page: Page<RoleOrder>,
}

impl Service {
    pub async fn list_roles(&self, caller: &Caller, request: ListRoles) -> Result<Listing<RoleView>, Error> {
        self.load_project(caller, &request.project).await?;
        let (size, by) = (request.page.size, request.page.order.by);
        let roles = self.store.roles(&request.project, &request.filter, request.page.and_one()).await?;
        self.listing(caller, roles, size, |role| cursor(role, by), self.clock.now()).await
    }
}

fn cursor(role: &Role, by: RoleOrder) -> Cursor {
    Cursor {
        value: match by {
            RoleOrder::CreateTime => SortValue::Number(role.create_time.as_micros()),
            RoleOrder::DisplayName => SortValue::Text(role.display_name.to_string()),
        },
        id: Id::Text(role.id.to_string()),
    }
}
