//! ProjectService on the wire.

use domain::{
    Invalid,
    id::ProjectId,
    name::ProjectName,
    page::{Order, Page},
    project::{Environment, Environments, KeyPolicy, Prefix, Retention},
};
use tonic::{Request, Response, Status};

use crate::{
    grpc::wire::{
        convert,
        faults::{Faults, both},
        mask::Mask,
        paging::PageRequest,
        role_refs::roles,
    },
    verbs::{Error, NewProject, ProjectPatch, Service},
};

use super::{
    call::{call, caller},
    services::project_service_server::ProjectService,
};

#[derive(Debug)]
pub(in crate::grpc) struct ProjectApi(pub(in crate::grpc) Service);

#[tonic::async_trait]
impl ProjectService for ProjectApi {
    async fn create_project(
        &self,
        request: Request<proto::CreateProjectRequest>,
    ) -> Result<Response<proto::CreateProjectResponse>, Status> {
        let body = request.get_ref();
        // A caller that may not create the project learns nothing of what else is wrong.
        if let Ok(id) = body.project_id.parse() {
            Service::check_may_create(&caller(&request), &id)?;
        }
        let (call, new) = both(call(&request), new_project(body))?;
        let created = self.0.create_project(&call, &new).await?;
        let api_key = created.system_key.api_key;
        Ok(Response::new(proto::CreateProjectResponse {
            project: Some(convert::project(created.project)),
            system_key: Some(created.system_key.key.into()),
            api_key: api_key.map(|api_key| api_key.expose().to_owned()).unwrap_or_default(),
            api_key_already_issued: created.system_key.repeated,
        }))
    }

    async fn get_project(
        &self,
        request: Request<proto::GetProjectRequest>,
    ) -> Result<Response<proto::GetProjectResponse>, Status> {
        let project = self.0.get_project(&caller(&request), &name("name", &request.get_ref().name)?).await?;
        Ok(Response::new(proto::GetProjectResponse { project: Some(convert::project(project)) }))
    }

    async fn list_projects(
        &self,
        request: Request<proto::ListProjectsRequest>,
    ) -> Result<Response<proto::ListProjectsResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let wanted = PageRequest {
            listing: "projects".to_owned(),
            size: request.page_size,
            token: &request.page_token,
        };
        let listing = self.0.list_projects(&caller, page(&wanted)?).await?;
        let (projects, next_page_token) = wanted.cut(listing, convert::project);
        Ok(Response::new(proto::ListProjectsResponse { projects, next_page_token }))
    }

    async fn update_project(
        &self,
        request: Request<proto::UpdateProjectRequest>,
    ) -> Result<Response<proto::UpdateProjectResponse>, Status> {
        let body = request.get_ref();
        let project = body.project.clone().unwrap_or_default();
        let (call, (id, patch)) = both(call(&request), patch(&project, body.update_mask.as_ref()))?;
        let project = self.0.update_project(&call, &id, &project.etag, &patch).await?;
        Ok(Response::new(proto::UpdateProjectResponse { project: Some(convert::project(project)) }))
    }

    async fn delete_project(
        &self,
        request: Request<proto::DeleteProjectRequest>,
    ) -> Result<Response<proto::DeleteProjectResponse>, Status> {
        let body = request.get_ref();
        let (call, id) = both(call(&request), name("name", &body.name))?;
        self.0.delete_project(&call, &id, &body.etag, body.force).await?;
        Ok(Response::new(proto::DeleteProjectResponse {}))
    }
}

fn name(field: &str, text: &str) -> Result<ProjectId, Error> {
    let mut faults = Faults::default();
    let name = faults.read::<ProjectName>(field, text);
    faults.finish(name.map(|name| name.0))
}

fn page(wanted: &PageRequest<'_>) -> Result<Page<()>, Error> {
    let mut faults = Faults::default();
    let page = wanted.page(&mut faults, Some(Order { by: (), descending: false }))?;
    faults.finish(page)
}

fn new_project(request: &proto::CreateProjectRequest) -> Result<NewProject, Error> {
    let unset = proto::Project::default();
    let project = request.project.as_ref().unwrap_or(&unset);
    let mut faults = Faults::default();
    let id = faults.read("project_id", &request.project_id);
    let display_name = faults.read("project.display_name", &project.display_name);
    let prefix = faults
        .read::<Prefix>("project.prefix", &project.prefix)
        .and_then(|prefix| faults.take("project.prefix", prefix.for_tenant()));
    let environments = if project.environments.is_empty() {
        Some(Environments::default())
    } else {
        environments(&mut faults, &project.environments)
    };
    let retention = retention(&mut faults, project.deleted_key_retention.as_ref());
    let key_policy = id.as_ref().and_then(|id| key_policy(&mut faults, project.key_policy.as_ref(), id));
    let (Some(id), Some(display_name), Some(prefix), Some(environments), Some(retention), Some(key_policy)) =
        (id, display_name, prefix, environments, retention, key_policy)
    else {
        return faults.finish(None);
    };
    faults.finish(Some(NewProject { id, display_name, prefix, environments, retention, key_policy }))
}

fn patch(
    project: &proto::Project,
    mask: Option<&prost_types::FieldMask>,
) -> Result<(ProjectId, ProjectPatch), Error> {
    let mut faults = Faults::default();
    let mutable = ["display_name", "environments", "deleted_key_retention", "key_policy"];
    let mask = Mask::read(&mut faults, mask, &mutable, &[])?;
    let name = faults.read::<ProjectName>("project.name", &project.name);
    let mut patch = ProjectPatch::default();
    if mask.names("display_name", !project.display_name.is_empty()) {
        patch.display_name = faults.read("project.display_name", &project.display_name);
    }
    if mask.names("environments", !project.environments.is_empty()) {
        patch.environments = environments(&mut faults, &project.environments);
    }
    if mask.names("deleted_key_retention", project.deleted_key_retention.is_some()) {
        patch.retention = retention(&mut faults, project.deleted_key_retention.as_ref());
    }
    if mask.names("key_policy", project.key_policy.is_some())
        && let Some(ProjectName(id)) = &name
    {
        patch.key_policy = key_policy(&mut faults, project.key_policy.as_ref(), id);
    }
    patch.prefix = faults.read_optional("project.prefix", &project.prefix).flatten();
    faults.finish(name.map(|name| (name.0, patch)))
}

fn environments(faults: &mut Faults, list: &[proto::Environment]) -> Option<Environments> {
    let mut environments = Vec::with_capacity(list.len());
    for (at, environment) in list.iter().enumerate() {
        let id = faults.read(&format!("project.environments[{at}].id"), &environment.id);
        let tag = faults.read(&format!("project.environments[{at}].tag"), &environment.tag);
        environments.extend(id.zip(tag).map(|(id, tag)| Environment { id, tag }));
    }
    if environments.len() < list.len() {
        return None;
    }
    faults.take("project.environments", environments.try_into())
}

/// The policy for the keys of the project `id`; one that is unset restricts nothing.
fn key_policy(faults: &mut Faults, policy: Option<&proto::KeyPolicy>, id: &ProjectId) -> Option<KeyPolicy> {
    const MOST_ROLES: usize = 100;
    let Some(policy) = policy else { return Some(KeyPolicy::default()) };
    let mut span = |field: &str, span: Option<&prost_types::Duration>| match span {
        Some(span) => faults.duration(field, span).and_then(|span| {
            // As it is stored.
            let whole = span.subsec_nanos() == 0;
            let whole = if whole { Ok(Some(span)) } else { Err(Invalid::new("must be whole seconds")) };
            faults.take(field, whole)
        }),
        None => Some(None),
    };
    let max_ttl = span("project.key_policy.max_ttl", policy.max_ttl.as_ref());
    let max_rotation_grace =
        span("project.key_policy.max_rotation_grace", policy.max_rotation_grace.as_ref());
    let most = faults.not_negative("project.key_policy.max_active_keys", policy.max_active_keys.into());
    let allowed_roles =
        roles(faults, "project.key_policy.allowed_roles", &policy.allowed_roles, id, MOST_ROLES);
    let read = KeyPolicy {
        max_ttl: max_ttl?,
        require_expiration: policy.require_expiration,
        max_active_keys: most.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0),
        max_rotation_grace: max_rotation_grace?,
        allowed_roles: allowed_roles?,
    };
    most?;
    faults.take("project.key_policy", read.checked())
}

fn retention(faults: &mut Faults, span: Option<&prost_types::Duration>) -> Option<Retention> {
    const FIELD: &str = "project.deleted_key_retention";
    let Some(span) = span else {
        return Some(Retention::default());
    };
    let span = faults.duration(FIELD, span)?;
    faults.take(FIELD, span.try_into())
}
