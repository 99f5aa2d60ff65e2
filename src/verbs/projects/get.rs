//! GetProject.

use domain::{id::ProjectId, project::Project};

use crate::verbs::{Caller, Error, Service};

impl Service {
    pub async fn get_project(&self, caller: &Caller, id: &ProjectId) -> Result<Project, Error> {
        self.load_project(caller, id).await
    }
}
