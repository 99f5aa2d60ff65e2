//! RoleService: one file for each method, and for what several share.

mod create_role;
mod create_role_refused;
mod delete_role;
mod delete_role_in_use;
mod delete_role_under_way;
mod get_role;
mod list_roles;
mod update_role;
mod update_role_refused;

use proto::{CreateRoleRequest, DeleteRoleRequest, Role, UpdateRoleRequest};
use testkit::server::Server;

use crate::calls::{Answer, inner, texts};

const EDITOR: &str = "projects/acme/roles/editor";
const VIEWER: &str = "projects/acme/roles/viewer";

async fn with_project() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server
}

/// A server with the project `acme` and its role `editor`, which grants `documents.write`.
async fn with_role() -> (Server, Role) {
    let server = with_project().await;
    let role = server.role("editor", &["documents.write"]).await;
    (server, role)
}

/// Asks for the role `editor` of `acme`.
fn new_editor() -> CreateRoleRequest {
    CreateRoleRequest {
        parent: "projects/acme".into(),
        role_id: "editor".into(),
        role: Some(full()),
        ..Default::default()
    }
}

/// All that a caller can say of a role.
fn full() -> Role {
    Role {
        display_name: "Editors, 編集者".into(),
        description: "Write what others read.".into(),
        permissions: texts(&["documents.write", "documents.read", "*.list"]),
        endpoints: texts(&["PUT /v1/documents/*", "GET /v1/documents/**", "/acme.Documents/*"]),
        ..Default::default()
    }
}

async fn create(server: &Server, request: CreateRoleRequest) -> Answer<Role> {
    inner(server.roles().create_role(request).await).map(|it| it.role.unwrap())
}

async fn get(server: &Server, name: &str) -> Answer<Role> {
    let request = proto::GetRoleRequest { name: name.into() };
    inner(server.roles().get_role(request).await).map(|it| it.role.unwrap())
}

/// Without paths there is no mask.
async fn update(server: &Server, role: Role, paths: &[&str]) -> Answer<Role> {
    let update_mask = Some(prost_types::FieldMask { paths: texts(paths) });
    let request = UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
    inner(server.roles().update_role(request).await).map(|it| it.role.unwrap())
}

async fn delete(server: &Server, request: DeleteRoleRequest) -> Answer<()> {
    server.roles().delete_role(request).await.map(drop)
}

/// Asks for the deletion of `editor`.
fn editor() -> DeleteRoleRequest {
    DeleteRoleRequest { name: EDITOR.into(), ..Default::default() }
}

fn forced() -> DeleteRoleRequest {
    DeleteRoleRequest { force: true, ..editor() }
}

/// A key of `acme` that holds these roles, and its API key.
async fn holder(server: &Server, roles: &[&str]) -> (proto::Key, String) {
    server.key("acme", proto::Key { roles: texts(roles), ..Default::default() }).await
}

/// Names that are no role's.
const MALFORMED: [&str; 11] = [
    "",
    "editor",
    "projects/acme",
    "projects/acme/roles",
    "projects/acme/roles/",
    "projects/acme/roles/-",
    "projects/acme/roles/Editor",
    "projects/acme/roles/editor/keys",
    "projects/acme/keys/editor",
    "projects//roles/editor",
    "projects/-/roles/editor",
];
