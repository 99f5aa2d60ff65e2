//! ListAuditEvents: what changed, by whom; a project's trail outlives the project.

use domain::{
    audit::Event,
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
        let projects = caller.projects_in(&request.scope)?;
        let cursor = |event: &Event| Cursor { value: SortValue::Number(event.revision), id: Id::None };
        let bytes = |event: &Event| event.before.len() + event.after.len();
        let read = |page| self.store.events(&projects, &request.filter, page);
        let mut listing = Listing::in_portions(request.page, cursor, bytes, read).await?;
        let views = self.view_events(caller, std::mem::take(&mut listing.items)).await?;
        Ok(listing.with(views))
    }
}
