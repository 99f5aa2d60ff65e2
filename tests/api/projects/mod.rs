//! ProjectService.

mod create_project;
mod create_project_refused;
mod delete_project;
mod get_project;
mod list_projects;
mod update_environments;
mod update_project;

use proto::Project;
use testkit::server::Server;
use tonic::Status;

fn environment(id: &str, tag: &str) -> proto::Environment {
    proto::Environment { id: id.into(), tag: tag.into() }
}

fn days(days: i64) -> prost_types::Duration {
    prost_types::Duration { seconds: days * 24 * 60 * 60, nanos: 0 }
}

async fn create(
    server: &Server,
    request: proto::CreateProjectRequest,
) -> Result<proto::CreateProjectResponse, Status> {
    let created = server.projects().create_project(request).await;
    created.map(|created| created.into_inner())
}

/// Updates the fields in `mask`, or those that are set if there is no mask.
async fn update(server: &Server, project: Project, mask: &[&str]) -> Result<Project, Status> {
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    let request = proto::UpdateProjectRequest {
        project: Some(project),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let updated = server.projects().update_project(request).await;
    updated.map(|updated| updated.into_inner().project.unwrap())
}

async fn get(server: &Server, id: &str) -> Result<Project, Status> {
    let request = proto::GetProjectRequest { name: format!("projects/{id}") };
    let got = server.projects().get_project(request).await;
    got.map(|got| got.into_inner().project.unwrap())
}
