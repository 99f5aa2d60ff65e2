//! CountKeys: how many keys are in each state now.

use domain::{filter::Filter, id::ProjectId, query::KeyTest};

use crate::{
    ports::keys::{KeyCounts, KeyQuery},
    verbs::{Caller, Error, Service},
};

#[derive(Debug)]
pub struct CountKeys {
    pub project: ProjectId,
    pub filter: Filter<KeyTest>,
}

impl Service {
    pub async fn count_keys(&self, caller: &Caller, request: &CountKeys) -> Result<KeyCounts, Error> {
        let project = self.load_project(caller, &request.project).await?;
        let query = KeyQuery {
            project: &request.project,
            policy: &project.key_policy,
            filter: &request.filter,
            show_deleted: true,
            now: self.clock.now(),
        };
        Ok(self.store.count_keys(query).await?)
    }
}
