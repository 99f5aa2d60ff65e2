//! ListAuditEvents: what changed, by whom; a project's trail outlives the project.

use domain::{
    filter::Filter,
    name::Scope,
    page::{Cursor, Id, Page, SortValue},
    query::EventTest,
};

use crate::verbs::{Caller, Error, EventView, Listing, Service};

#[derive(Debug)]
pub struct ListEvents {
    pub scope: Scope,
    pub filter: Filter<EventTest>,
    pub page: Page<()>,
}

impl Service {
    pub async fn list_audit_events(
        &self,
        caller: &Caller,
        request: ListEvents,
    ) -> Result<Listing<EventView>, Error> {
        let size = request.page.size;
        let projects = caller.projects_in(&request.scope)?;
        let events = self.store.events(&projects, &request.filter, request.page.and_one()).await?;
        let mut listing = Listing::cut(events, size, |event| Cursor {
            value: SortValue::Number(event.revision),
            id: Id::None,
        });
        let views = self.view_events(caller, std::mem::take(&mut listing.items)).await?;
        Ok(listing.with(views))
    }
}
