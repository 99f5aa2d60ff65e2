//! CountKeys: how many keys are in each state now.

use crate::{
    domain::{filter::Filter, id::ProjectId, listing::KeyTest},
    ports::store::{KeyCounts, KeyQuery},
    service::{Error, Service},
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
