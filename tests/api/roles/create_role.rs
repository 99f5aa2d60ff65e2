//! CreateRole.

use proto::{CreateRoleRequest, Role};
use testkit::{
    server::Server,
    status::{assert_exists, assert_not_found, metadata, reason},
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::calls::texts;

use super::{EDITOR, VIEWER, create, full, get, new_editor, with_project};

#[tokio::test]
async fn a_role_is_as_it_was_asked_for_and_its_lists_are_sorted() {
    let server = with_project().await;
    let made = create(&server, new_editor()).await.unwrap();
    assert_eq!(made.name, EDITOR);
    assert_eq!(
        (made.display_name.clone(), made.description.clone()),
        (full().display_name, full().description)
    );
    assert_eq!(made.permissions, ["*.list", "documents.read", "documents.write"]);
    assert_eq!(made.endpoints, ["/acme.Documents/*", "GET /v1/documents/**", "PUT /v1/documents/*"]);
    assert!(!made.built_in);
    assert_eq!(made.create_time, made.update_time);
    assert_eq!(made.revision, server.head().await);
    let creator = made.created_by.clone().unwrap();
    assert_eq!(creator.service_account, "projects/system/serviceAccounts/root");
    assert_eq!(creator.display_name, "Root");
    assert_eq!(get(&server, EDITOR).await.unwrap(), made);
}

#[tokio::test]
async fn a_role_may_grant_nothing_and_lists_what_it_grants_once() {
    let server = with_project().await;
    let bare = CreateRoleRequest { role: None, role_id: "bare".into(), ..new_editor() };
    let bare = create(&server, bare).await.unwrap();
    assert!(bare.permissions.is_empty() && bare.endpoints.is_empty());
    let twice = Role {
        permissions: texts(&["b.read", "a.read", "b.read", "A.read"]),
        endpoints: texts(&["GET /b", "GET /a", "GET /b"]),
        ..Default::default()
    };
    let request = CreateRoleRequest { role: Some(twice), ..new_editor() };
    let made = create(&server, request).await.unwrap();
    assert_eq!(made.permissions, ["A.read", "a.read", "b.read"]);
    assert_eq!(made.endpoints, ["GET /a", "GET /b"]);
}

#[tokio::test]
async fn output_only_fields_are_ignored() {
    let server = with_project().await;
    let mut request = new_editor();
    request.role = Some(Role {
        name: VIEWER.into(),
        built_in: true,
        revision: 99,
        etag: "stale".into(),
        update_time: Some(prost_types::Timestamp::default()),
        ..Default::default()
    });
    let made = create(&server, request).await.unwrap();
    assert_eq!((made.name.as_str(), made.built_in), (EDITOR, false));
    assert_eq!(made.create_time, made.update_time);
}

#[tokio::test]
async fn ids_are_unique_in_their_project() {
    let server = with_project().await;
    server.project("other").await;
    let made = create(&server, new_editor()).await.unwrap();
    assert_exists(&create(&server, new_editor()).await.unwrap_err(), EDITOR);
    let viewer = CreateRoleRequest { role_id: "viewer".into(), ..new_editor() };
    assert_exists(&create(&server, viewer).await.unwrap_err(), VIEWER);
    // It is built in only in the system project.
    let root = CreateRoleRequest { role_id: "root".into(), ..new_editor() };
    assert!(!create(&server, root).await.unwrap().built_in);
    let elsewhere = CreateRoleRequest { parent: "projects/other".into(), ..new_editor() };
    create(&server, elsewhere).await.unwrap();
    assert_eq!(get(&server, EDITOR).await.unwrap(), made);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    assert_not_found(&create(&server, new_editor()).await.unwrap_err(), "projects/acme");
}

#[tokio::test]
async fn a_repeat_answers_with_the_same_role() {
    let server = with_project().await;
    let request = CreateRoleRequest { request_id: "deploy-42".into(), ..new_editor() };
    let first = create(&server, request.clone()).await.unwrap();
    let after_first = server.head().await;
    assert_eq!(create(&server, request.clone()).await.unwrap(), first);
    assert_eq!(server.head().await, after_first);

    let other = CreateRoleRequest { role: None, ..request };
    let refused = create(&server, other).await.unwrap_err();
    assert_eq!(reason(&refused, Code::FailedPrecondition), "REQUEST_ID_REUSED");
    assert_eq!(metadata(&refused, "request_id").unwrap(), "deploy-42");
}

#[tokio::test]
async fn repeats_that_come_together_create_once() {
    let server = with_project().await;
    let before = server.head().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let request = CreateRoleRequest { request_id: "together".into(), ..new_editor() };
        let mut roles = server.roles();
        calls.spawn(async move { roles.create_role(request).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.unwrap().into_inner().role.unwrap().name, EDITOR);
    }
    assert_eq!(server.head().await, before + 1);
}

#[tokio::test]
async fn a_trial_changes_nothing() {
    let server = with_project().await;
    let before = server.head().await;
    let request = CreateRoleRequest { validate_only: true, request_id: "trial".into(), ..new_editor() };
    let tried = create(&server, request.clone()).await.unwrap();
    assert_eq!((tried.name.as_str(), tried.permissions.len()), (EDITOR, 3));
    assert_not_found(&get(&server, EDITOR).await.unwrap_err(), EDITOR);
    assert_eq!(server.head().await, before);
    let in_earnest = CreateRoleRequest { validate_only: false, ..request };
    create(&server, in_earnest).await.unwrap();
}
