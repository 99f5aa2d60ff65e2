//! What a version does once to the data of an older one.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::id::{ProjectId, RoleId};

use super::StoreError;

#[async_trait]
pub trait Upgrades: Debug + Send + Sync + 'static {
    /// Whether the upgrade of this name is recorded as done.
    async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError>;

    /// Records that it is done, also if it is recorded already.
    async fn record_upgrade(&self, name: &str) -> Result<(), StoreError>;

    /// The first of the projects that do not have the role.
    async fn projects_without_role(&self, role: &RoleId, most: u64) -> Result<Vec<ProjectId>, StoreError>;
}
