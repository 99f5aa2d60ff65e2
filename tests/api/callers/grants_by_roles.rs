//! A role of the system project hands on what it grants, and everything is only what includes all projects.

use proto::{CreateKeyRequest, CreateRoleRequest, DeleteRoleRequest, Role, UpdateRoleRequest};
use testkit::{server::Server, status::metadata};

use crate::calls::{inner, texts};

use super::grants::{assert_exceeds, holding};

fn creation(id: &str, permissions: &[&str]) -> CreateRoleRequest {
    CreateRoleRequest {
        parent: "projects/system".into(),
        role_id: id.into(),
        role: Some(Role { permissions: texts(permissions), ..Default::default() }),
        ..Default::default()
    }
}

fn update(name: &str, permissions: &[&str]) -> UpdateRoleRequest {
    let role = Role { name: name.into(), permissions: texts(permissions), ..Default::default() };
    UpdateRoleRequest { role: Some(role), ..Default::default() }
}

const AUTHOR: [&str; 2] = ["keys.*", "roles.*"];

#[tokio::test]
async fn a_role_grants_no_more_than_its_author_has() {
    let server = Server::start().await;
    let (_, for_all) = server.key("system", holding(&[], &AUTHOR, &["*"])).await;
    let (_, for_one) = server.key("system", holding(&[], &AUTHOR, &["system"])).await;
    let (mut for_all, mut for_one) = (server.roles_as(&for_all), server.roles_as(&for_one));
    let (role, strong) = ("projects/system/roles/reader", "projects/system/roles/strong");

    let refused = for_one.create_role(creation("reader", &["keys.read", "audit.read"])).await.unwrap_err();
    assert_exceeds(&refused, role, Some("audit.read"), None);
    for_one.create_role(creation("reader", &["keys.read"])).await.unwrap();
    // By now keys may hold it, for any project.
    let refused = for_one.update_role(update(role, &["keys.read", "keys.list"])).await.unwrap_err();
    assert_exceeds(&refused, role, None, Some("projects/-"));
    for_all.update_role(update(role, &["keys.read", "keys.list"])).await.unwrap();
    let refused = for_all.update_role(update(role, &["audit.read"])).await.unwrap_err();
    assert_exceeds(&refused, role, Some("audit.read"), None);

    // To change what a stronger role grants, even to less, takes what it grants.
    server.roles().create_role(creation("strong", &["audit.read"])).await.unwrap();
    let refused = for_all.update_role(update(strong, &["keys.read"])).await.unwrap_err();
    assert_exceeds(&refused, strong, Some("audit.read"), None);
}

/// Else the caller could rotate a key that held the role, and get what it grants when the role is given back.
#[tokio::test]
async fn a_role_that_grants_more_is_not_deleted() {
    let server = Server::start().await;
    let (_, for_all) = server.key("system", holding(&[], &AUTHOR, &["*"])).await;
    let (_, for_one) = server.key("system", holding(&[], &AUTHOR, &["system"])).await;
    let name = |id: &str| format!("projects/system/roles/{id}");
    for (id, permission) in [("reader", "keys.read"), ("strong", "audit.read")] {
        server.roles().create_role(creation(id, &[permission])).await.unwrap();
    }
    let delete = async |api_key: &str, id: &str, force| {
        let request = DeleteRoleRequest { name: name(id), force, ..Default::default() };
        server.roles_as(api_key).delete_role(request).await
    };
    for force in [false, true] {
        let refused = delete(&for_all, "strong", force).await.unwrap_err();
        assert_exceeds(&refused, &name("strong"), Some("audit.read"), None);
        let refused = delete(&for_one, "reader", force).await.unwrap_err();
        assert_exceeds(&refused, &name("reader"), None, Some("projects/-"));
    }
    delete(&for_all, "reader", false).await.unwrap();
}

#[tokio::test]
async fn everything_is_all_permissions_for_all_projects() {
    let server = Server::start().await;
    let create =
        |key| CreateKeyRequest { parent: "projects/system".into(), key: Some(key), ..Default::default() };
    for (caller, key, permission, project) in [
        (holding(&["root"], &[], &["system"]), holding(&[], &["*"], &["shop"]), None, Some("projects/shop")),
        (holding(&[], &AUTHOR, &["*"]), holding(&["root"], &[], &["*"]), Some("*"), None),
    ] {
        let (_, api_key) = server.key("system", caller).await;
        let refused = inner(server.keys_as(&api_key).create_key(create(key)).await).unwrap_err();
        let resource = metadata(&refused, "resource").unwrap();
        assert_exceeds(&refused, &resource, permission, project);
    }
}
