//! UpdateRole.

use std::time::Duration;

use proto::{Role, UpdateRoleRequest};
use testkit::{
    server::Server,
    status::{assert_not_found, assert_refused, assert_stale},
};
use tokio::task::JoinSet;

use crate::calls::{inner, texts};

use super::{EDITOR, VIEWER, full, get, update, with_role};

fn editor() -> Role {
    Role { name: EDITOR.into(), ..Default::default() }
}

/// Differs from a fresh role in all that can be changed.
fn changed() -> Role {
    Role { name: EDITOR.into(), ..full() }
}

#[tokio::test]
async fn a_mask_names_what_changes() {
    let (server, before) = with_role().await;
    server.clock.advance(Duration::from_secs(1));
    let named = update(&server, changed(), &["description"]).await.unwrap();
    assert_eq!(named.description, full().description);
    assert_eq!((named.display_name.as_str(), &named.permissions), ("", &before.permissions));
    assert!(named.endpoints.is_empty());
    assert_eq!(named.create_time, before.create_time);
    assert_eq!(named.update_time.unwrap().seconds, before.update_time.unwrap().seconds + 1);
    assert_eq!(named.revision, before.revision + 1);
    assert_ne!(named.etag, before.etag);

    let lists = update(&server, changed(), &["permissions", "endpoints"]).await.unwrap();
    assert_eq!(lists.permissions, ["*.list", "documents.read", "documents.write"]);
    assert_eq!(lists.endpoints, ["/acme.Documents/*", "GET /v1/documents/**", "PUT /v1/documents/*"]);
    let cleared = update(&server, editor(), &["permissions"]).await.unwrap();
    assert!(cleared.permissions.is_empty());
    assert_eq!(cleared.endpoints, lists.endpoints);
    assert_eq!(get(&server, EDITOR).await.unwrap(), cleared);
}

#[tokio::test]
async fn without_a_mask_what_is_set_changes_and_a_star_changes_everything() {
    let (server, before) = with_role().await;
    let request = UpdateRoleRequest {
        role: Some(Role { display_name: "Editors".into(), ..editor() }),
        ..Default::default()
    };
    let renamed = inner(server.roles().update_role(request).await).unwrap().role.unwrap();
    assert_eq!((renamed.display_name.as_str(), renamed.permissions), ("Editors", before.permissions));
    update(&server, changed(), &["*"]).await.unwrap();
    let bare = update(&server, editor(), &["*"]).await.unwrap();
    assert_eq!((bare.display_name, bare.description), Default::default());
    assert!(bare.permissions.is_empty() && bare.endpoints.is_empty());
}

#[tokio::test]
async fn the_same_in_another_order_is_no_change() {
    let (server, _) = with_role().await;
    let before = update(&server, changed(), &["*"]).await.unwrap();
    let head = server.head().await;
    let mut same = changed();
    same.permissions.reverse();
    same.endpoints.rotate_left(1);
    same.permissions.push("documents.read".into());
    for validate_only in [false, true] {
        let request = UpdateRoleRequest { role: Some(same.clone()), validate_only, ..Default::default() };
        let updated = inner(server.roles().update_role(request).await).unwrap();
        assert_eq!(updated.role.unwrap(), before);
    }
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn output_only_fields_stay() {
    let (server, before) = with_role().await;
    let other = Role { built_in: true, revision: 99, description: "New".into(), ..editor() };
    let updated = update(&server, other, &[]).await.unwrap();
    assert_eq!((updated.built_in, updated.revision), (false, before.revision + 1));
}

#[tokio::test]
async fn a_built_in_role_is_protected() {
    let (server, _) = with_role().await;
    for name in [VIEWER, "projects/acme/roles/privileged", "projects/system/roles/verifier"] {
        let before = get(&server, name).await.unwrap();
        for mask in [&["description"][..], &["*"], &[]] {
            let role = Role { name: name.into(), ..full() };
            let refused = server.refused(update(&server, role, mask)).await;
            assert_refused(&refused, "PROTECTED", name);
        }
        assert_eq!(get(&server, name).await.unwrap(), before);
    }
}

#[tokio::test]
async fn an_unknown_role_is_not_found() {
    let server = Server::start().await;
    server.project("acme").await;
    assert_not_found(&update(&server, changed(), &[]).await.unwrap_err(), EDITOR);
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_one_in_force() {
    let (server, first) = with_role().await;
    let second = update(&server, changed(), &[]).await.unwrap();
    let with_etag = |etag: &str| Role { etag: etag.into(), ..editor() };
    let refused = update(&server, with_etag(&first.etag), &["*"]).await.unwrap_err();
    assert_stale(&refused, EDITOR, &second.etag);
    assert_eq!(get(&server, EDITOR).await.unwrap(), second);
    update(&server, with_etag(&second.etag), &["*"]).await.unwrap();
}

#[tokio::test]
async fn a_trial_changes_nothing() {
    let (server, before) = with_role().await;
    let head = server.head().await;
    let request = UpdateRoleRequest { role: Some(changed()), validate_only: true, ..Default::default() };
    let tried = inner(server.roles().update_role(request).await).unwrap().role.unwrap();
    assert_eq!(tried.description, full().description);
    assert_eq!((get(&server, EDITOR).await.unwrap(), server.head().await), (before, head));
}

#[tokio::test]
async fn changes_that_come_together_are_all_made() {
    let (server, before) = with_role().await;
    let mut calls = JoinSet::new();
    for path in ["display_name", "description", "permissions", "endpoints"] {
        let request = UpdateRoleRequest {
            role: Some(changed()),
            update_mask: Some(prost_types::FieldMask { paths: texts(&[path]) }),
            ..Default::default()
        };
        let mut roles = server.roles();
        calls.spawn(async move { roles.update_role(request).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    let after = get(&server, EDITOR).await.unwrap();
    assert_eq!((after.description, after.permissions.len()), (full().description, 3));
    assert_eq!((after.endpoints.len(), after.revision), (3, before.revision + 4));
}
