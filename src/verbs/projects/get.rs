//! GetProject.

use domain::{id::ProjectId, project::Project};

use crate::verbs::{Error, Service};

impl Service {
    pub async fn get_project(&self, id: &ProjectId) -> Result<Project, Error> {
        self.load_project(id).await
    }
}
