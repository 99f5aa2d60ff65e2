//! CreateRole with fields that are wrong.

use proto::{CreateRoleRequest, Role};

use crate::calls::{assert_invalid, texts};

use super::{create, new_editor, with_project};

fn tried(role: Role) -> CreateRoleRequest {
    CreateRoleRequest { role: Some(role), validate_only: true, ..new_editor() }
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once() {
    let server = with_project().await;
    let request = CreateRoleRequest {
        parent: "acme".into(),
        role_id: "E D".into(),
        role: Some(Role {
            display_name: "x".repeat(201),
            description: "x".repeat(501),
            permissions: texts(&["a.b", "a..b", "*x"]),
            endpoints: texts(&["GET /a", "GET a"]),
            ..Default::default()
        }),
        request_id: "é".into(),
        ..Default::default()
    };
    let refused = create(&server, request).await.unwrap_err();
    assert_invalid(
        &refused,
        &[
            "request_id",
            "parent",
            "role_id",
            "role.display_name",
            "role.description",
            "role.permissions[1]",
            "role.permissions[2]",
            "role.endpoints[1]",
        ],
    );
}

#[tokio::test]
async fn an_id_is_required() {
    let server = with_project().await;
    for role_id in ["", "-", "Editor", "a_b", "e-", "*", &"x".repeat(64)] {
        let request = CreateRoleRequest { role_id: role_id.into(), ..new_editor() };
        let refused = create(&server, request).await.unwrap_err();
        assert_invalid(&refused, &["role_id"]);
    }
    let none = CreateRoleRequest { role_id: String::new(), ..new_editor() };
    let refused = create(&server, none).await.unwrap_err();
    assert!(refused.message().contains("is required"), "{}", refused.message());
    let longest = CreateRoleRequest { role_id: "x".repeat(63), ..new_editor() };
    create(&server, longest).await.unwrap();
}

#[tokio::test]
async fn each_wrong_permission_says_why() {
    let server = with_project().await;
    let long = "x".repeat(101);
    for (permission, told) in [
        ("", "must"),
        (".", "empty"),
        ("a..b", "empty"),
        ("a.b.", "empty"),
        ("a b", "character"),
        ("a.ü", "character"),
        ("a.b*", "*"),
        ("a\0", "character"),
        ("a OR b", "character"),
        (long.as_str(), "100"),
    ] {
        let role = Role { permissions: texts(&["ok", permission]), ..Default::default() };
        let refused = create(&server, tried(role)).await.unwrap_err();
        assert_invalid(&refused, &["role.permissions[1]"]);
        assert!(refused.message().contains(told), "{permission:?}: {}", refused.message());
    }
    let most = Role { permissions: texts(&["*", "*.*", "a.*.b", &"x".repeat(100)]), ..Default::default() };
    create(&server, tried(most)).await.unwrap();
}

#[tokio::test]
async fn each_wrong_endpoint_says_why() {
    let server = with_project().await;
    for endpoint in [
        "",
        "GET",
        "GET  /a",
        "get /a",
        "GET a",
        "/a",
        "GET /a/../b",
        "GET /a//b",
        "GET /a/%2e",
        "GET /a?b",
        "GET /**/b",
        "GET /a*",
        "/acme.Documents",
        "G\u{202e}ET /a",
    ] {
        let role = Role { endpoints: texts(&["GET /ok", endpoint]), ..Default::default() };
        let refused = create(&server, tried(role)).await.unwrap_err();
        assert_invalid(&refused, &["role.endpoints[1]"]);
    }
}

#[tokio::test]
async fn lists_are_bounded() {
    let server = with_project().await;
    let permissions = |number: usize| (0..number).map(|n| format!("documents.p{n}")).collect();
    let endpoints = |number: usize| (0..number).map(|n| format!("GET /v1/{n}/**")).collect();
    let most = Role { permissions: permissions(500), endpoints: endpoints(500), ..Default::default() };
    let made = create(&server, CreateRoleRequest { role: Some(most), ..new_editor() }).await.unwrap();
    assert_eq!((made.permissions.len(), made.endpoints.len()), (500, 500));
    let more = Role { permissions: permissions(501), endpoints: endpoints(501), ..Default::default() };
    let refused = create(&server, tried(more)).await.unwrap_err();
    assert_invalid(&refused, &["role.permissions", "role.endpoints"]);
    assert!(refused.message().contains("at most 500"), "{}", refused.message());
}
