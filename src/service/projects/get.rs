//! GetProject.

use crate::{
    domain::{id::ProjectId, project::Project},
    service::{Error, Service},
};

impl Service {
    pub async fn get_project(&self, id: &ProjectId) -> Result<Project, Error> {
        self.load_project(id).await
    }
}
