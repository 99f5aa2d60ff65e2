//! The change log as the audit trail.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    Revision,
    access::Projects,
    audit::{Event, Head},
    filter::Filter,
    page::Page,
    query::EventTest,
};

use super::StoreError;

#[async_trait]
pub trait ReadLog: Debug + Send + Sync + 'static {
    /// The events of these projects.
    async fn events(
        &self,
        of: &Projects,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError>;

    /// Events from `start` on, in order, of every project.
    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError>;

    async fn head(&self) -> Result<Head, StoreError>;
}
