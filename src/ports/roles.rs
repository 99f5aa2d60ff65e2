//! Looking up roles.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{
    audit::Head,
    filter::Filter,
    id::{ProjectId, RoleId},
    page::Page,
    query::{RoleOrder, RoleTest},
    role::Role,
};

use super::StoreError;

/// Absence is `Ok(None)`; every look-up names its project.
#[async_trait]
pub trait ReadRoles: Debug + Send + Sync + 'static {
    async fn role(&self, project: &ProjectId, id: &RoleId) -> Result<Option<Role>, StoreError>;

    /// Those of `ids` that exist, in any order, in one query.
    async fn roles_named(&self, project: &ProjectId, ids: &[RoleId]) -> Result<Vec<Role>, StoreError>;

    async fn roles(
        &self,
        project: &ProjectId,
        filter: &Filter<RoleTest>,
        page: Page<RoleOrder>,
    ) -> Result<Vec<Role>, StoreError>;
}

/// Roles as verifications need them.
#[async_trait]
pub trait LoadRoles: Debug + Send + Sync + 'static {
    /// Those of `ids` that exist in `project`, with the head of the change log when that was so, in one query.
    async fn load_roles(&self, project: &ProjectId, ids: &[RoleId]) -> Result<LoadedRoles, StoreError>;
}

#[derive(Debug)]
pub struct LoadedRoles {
    /// One that cannot be read fails the load: to leave it out could allow what `NOT` excludes.
    pub roles: Vec<Role>,
    pub head: Head,
}
