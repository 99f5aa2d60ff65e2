//! The change log as the audit trail.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    Revision,
    audit::{Event, Head},
    filter::Filter,
    name::Scope,
    page::Page,
    query::EventTest,
};

use super::StoreError;

#[async_trait]
pub trait ReadLog: Debug + Send + Sync + 'static {
    async fn events(
        &self,
        scope: &Scope,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError>;

    /// Events from `start` on, in order, of every project.
    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError>;

    async fn head(&self) -> Result<Head, StoreError>;
}
