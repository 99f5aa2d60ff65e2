//! RoleService's requests, read field by field.

use domain::{
    access::{EndpointPattern, Grant},
    name::{ProjectName, RoleName},
    query::{role_filter, role_order},
};

use crate::{
    grpc::wire::{faults::Faults, mask::Mask, paging::PageRequest},
    verbs::{Error, ListRoles, NewRole, RolePatch},
};

/// Most permissions of a role, and most endpoints.
const MOST: usize = 500;

pub(super) fn name(text: &str) -> Result<RoleName, Error> {
    let mut faults = Faults::default();
    let name = faults.read("name", text);
    faults.finish(name)
}

pub(super) fn new_role(request: &proto::CreateRoleRequest) -> Result<NewRole, Error> {
    let unset = proto::Role::default();
    let role = request.role.as_ref().unwrap_or(&unset);
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let id = faults.read("role_id", &request.role_id);
    let display_name = faults.read("role.display_name", &role.display_name);
    let description = faults.read("role.description", &role.description);
    let permissions = permissions(&mut faults, role);
    let endpoints = endpoints(&mut faults, role);
    let (Some(parent), Some(id), Some(display_name), Some(description), Some(permissions), Some(endpoints)) =
        (parent, id, display_name, description, permissions, endpoints)
    else {
        return faults.finish(None);
    };
    let project = parent.0;
    faults.finish(Some(NewRole { project, id, display_name, description, permissions, endpoints }))
}

pub(super) fn listing(
    request: &proto::ListRolesRequest,
    wanted: &PageRequest<'_>,
) -> Result<ListRoles, Error> {
    let mut faults = Faults::default();
    let parent = faults.read::<ProjectName>("parent", &request.parent);
    let filter = faults.filter("filter", &request.filter, role_filter);
    let order = faults.take("order_by", role_order(&request.order_by));
    let page = wanted.page(&mut faults, order)?;
    let (Some(parent), Some(filter), Some(page)) = (parent, filter, page) else {
        return faults.finish(None);
    };
    faults.finish(Some(ListRoles { project: parent.0, filter, page }))
}

pub(super) fn patch(
    role: &proto::Role,
    mask: Option<&prost_types::FieldMask>,
) -> Result<(RoleName, RolePatch), Error> {
    let mut faults = Faults::default();
    let mutable = ["display_name", "description", "permissions", "endpoints"];
    let mask = Mask::read(&mut faults, mask, &mutable, &[])?;
    let name = faults.read("role.name", &role.name);
    let mut patch = RolePatch::default();
    if mask.names("display_name", !role.display_name.is_empty()) {
        patch.display_name = faults.read("role.display_name", &role.display_name);
    }
    if mask.names("description", !role.description.is_empty()) {
        patch.description = faults.read("role.description", &role.description);
    }
    if mask.names("permissions", !role.permissions.is_empty()) {
        patch.permissions = permissions(&mut faults, role);
    }
    if mask.names("endpoints", !role.endpoints.is_empty()) {
        patch.endpoints = endpoints(&mut faults, role);
    }
    faults.finish(name.map(|name| (name, patch)))
}

fn permissions(faults: &mut Faults, role: &proto::Role) -> Option<Vec<Grant>> {
    faults.grants("role.permissions", &role.permissions, MOST)
}

fn endpoints(faults: &mut Faults, role: &proto::Role) -> Option<Vec<EndpointPattern>> {
    faults.set("role.endpoints", &role.endpoints, MOST)
}
