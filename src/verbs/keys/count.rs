//! CountKeys: how many keys are in each state now.

use domain::{filter::Filter, id::ProjectId, listing::KeyTest};

use crate::{
    ports::store::{KeyCounts, KeyQuery},
    verbs::{Error, Service},
};

#[derive(Debug)]
pub struct CountKeys {
    pub project: ProjectId,
    pub filter: Filter<KeyTest>,
}

impl Service {
    pub async fn count_keys(&self, request: &CountKeys) -> Result<KeyCounts, Error> {
        self.load_project(&request.project).await?;
        let query = KeyQuery {
            project: &request.project,
            filter: &request.filter,
            show_deleted: true,
            now: self.clock.now(),
        };
        Ok(self.store.count_keys(query).await?)
    }
}
