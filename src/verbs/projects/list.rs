//! ListProjects: in the order of their creation, in pages.

use domain::{
    page::{Cursor, Id, Page, SortValue},
    project::Project,
};

use crate::verbs::{Caller, Error, Listing, Service};

impl Service {
    pub async fn list_projects(&self, caller: &Caller, page: Page<()>) -> Result<Listing<Project>, Error> {
        let size = page.size;
        let projects = self.store.projects(caller.projects(), page.and_one()).await?;
        self.listing(caller, projects, size, cursor, self.clock.now()).await
    }
}

fn cursor(project: &Project) -> Cursor {
    Cursor { value: SortValue::Number(project.create_time.as_micros()), id: Id::Text(project.id.to_string()) }
}
