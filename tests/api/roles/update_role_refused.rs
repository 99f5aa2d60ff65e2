//! UpdateRole with fields that are wrong.

use proto::Role;

use crate::calls::{assert_invalid, texts};

use super::{EDITOR, MALFORMED, full, get, update, with_role};

#[tokio::test]
async fn every_wrong_field_is_told_at_once() {
    let (server, before) = with_role().await;
    let wrong = Role {
        name: "editor".into(),
        display_name: "\u{1b}[31m".into(),
        description: "x".repeat(501),
        permissions: texts(&["*", "a.*b"]),
        endpoints: texts(&["PUT /a", "PUT /a/"]).into_iter().chain(["GET".into()]).collect(),
        ..Default::default()
    };
    let refused = update(&server, wrong.clone(), &[]).await.unwrap_err();
    assert_invalid(
        &refused,
        &["role.name", "role.display_name", "role.description", "role.permissions[1]", "role.endpoints[2]"],
    );
    let refused = update(&server, wrong, &["built_in", "permissions"]).await.unwrap_err();
    assert_invalid(&refused, &["update_mask", "role.name", "role.permissions[1]"]);
    assert_eq!(get(&server, EDITOR).await.unwrap(), before);
}

#[tokio::test]
async fn what_cannot_be_changed_is_no_path() {
    let (server, _) = with_role().await;
    for path in ["", "name", "built_in", "created_by", "create_time", "etag", "revision", "permissions.0"] {
        let role = Role { name: EDITOR.into(), ..full() };
        let refused = update(&server, role, &[path]).await.unwrap_err();
        assert_invalid(&refused, &["update_mask"]);
    }
}

#[tokio::test]
async fn lists_are_bounded() {
    let (server, _) = with_role().await;
    let permissions = (0..501).map(|n| format!("p{n}")).collect();
    let endpoints = (0..501).map(|n| format!("GET /{n}")).collect();
    let role = Role { name: EDITOR.into(), permissions, endpoints, ..Default::default() };
    let refused = update(&server, role, &["*"]).await.unwrap_err();
    assert_invalid(&refused, &["role.permissions", "role.endpoints"]);
}

#[tokio::test]
async fn a_malformed_name_is_told() {
    let (server, _) = with_role().await;
    for name in MALFORMED {
        let role = Role { name: name.into(), ..full() };
        assert_invalid(&update(&server, role, &[]).await.unwrap_err(), &["role.name"]);
    }
}
