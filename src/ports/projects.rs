//! Looking up projects.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{access::Projects, id::ProjectId, page::Page, project::Project};

use super::StoreError;

/// Absence is `Ok(None)`.
#[async_trait]
pub trait ReadProjects: Debug + Send + Sync + 'static {
    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError>;

    /// Those `among` these, in the order of their creation.
    async fn projects(&self, among: &Projects, page: Page<()>) -> Result<Vec<Project>, StoreError>;
}
