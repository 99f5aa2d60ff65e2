//! What answers show of a project: all of it.

use domain::{Revision, id::ProjectId, name::ProjectName, project::Project, time::Timestamp};

use crate::{
    ports::StoreError,
    verbs::{
        Caller, Error, Service,
        managed::{Managed, View},
    },
};

impl Managed for Project {
    type View = Self;

    async fn find(service: &Service, name: &ProjectName) -> Result<Option<Self>, StoreError> {
        service.store.project(&name.0).await
    }

    async fn views(
        _: &Service,
        _: &Caller,
        projects: Vec<Self>,
        _: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(projects)
    }
}

impl View for Project {
    fn show_revision(&mut self, revision: Revision) {
        self.revision = revision;
    }
}

impl Service {
    pub(in crate::verbs) async fn load_project(
        &self,
        caller: &Caller,
        id: &ProjectId,
    ) -> Result<Project, Error> {
        self.load(caller, &ProjectName(id.clone())).await
    }
}
