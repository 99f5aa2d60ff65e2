//! WatchAuditEvents: the events after a revision, and the wait for the next one.

use domain::{
    Revision,
    filter::Filter,
    name::Scope,
    page::{Order, Page},
    query::{EventTest, Relation},
};

use crate::{
    ports::changes::Rewinds,
    verbs::{Caller, Error, EventView, Service},
};

/// How many events are read at a time.
const PORTION: u64 = 20;

#[derive(Debug)]
pub struct EventBatch {
    pub events: Vec<EventView>,
    /// All events up to this one are in what was read.
    pub up_to: Revision,
}

impl Service {
    /// The newest revision that this node knows.
    pub fn position(&self) -> Revision {
        self.changes.position()
    }

    /// How often this node found that the log had gone backwards.
    pub fn rewinds(&self) -> Rewinds {
        self.changes.rewinds()
    }

    /// Fails when the log ends before `revision`.
    pub async fn check_is_reached(&self, revision: Revision) -> Result<(), Error> {
        // The position of this node saves a query.
        if revision <= self.position() {
            return Ok(());
        }
        let head = self.store.head().await?.revision;
        if revision > head { Err(Error::RevisionAhead { revision, head }) } else { Ok(()) }
    }

    /// Fails if `caller` may not see the events of `scope`.
    pub fn check_scope(&self, caller: &Caller, scope: &Scope) -> Result<(), Error> {
        caller.projects_in(scope).map(drop)
    }

    /// Resolves when this node has learnt of a change after `revision`.
    pub async fn change_after(&self, revision: Revision) {
        self.changes.beyond(revision).await;
    }

    /// The next events of `scope` after `revision`, not all of them at once.
    pub async fn next_events(
        &self,
        caller: &Caller,
        scope: &Scope,
        revision: Revision,
    ) -> Result<EventBatch, Error> {
        let projects = caller.projects_in(scope)?;
        let position = self.position();
        let filter = Filter::Test(EventTest::Revision(Relation::Greater, revision));
        let page = Page { size: PORTION, order: Order { by: (), descending: false }, after: None };
        let events = self.store.events(&projects, &filter, page).await?;
        let last = events.last().map_or(revision, |event| event.revision);
        let all = (events.len() as u64) < PORTION;
        let up_to = if all { last.max(position) } else { last };
        Ok(EventBatch { events: self.view_events(caller, events).await?, up_to })
    }
}
