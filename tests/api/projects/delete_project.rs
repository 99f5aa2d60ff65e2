//! DeleteProject.

use proto::{
    Code, DeleteProjectRequest, GetKeyRequest, GetServiceAccountRequest, Key, ListKeysRequest, Project,
};
use testkit::{
    server::Server,
    status::{assert_invalid, assert_not_found, assert_refused, assert_stale, metadata},
};
use tonic::Status;

use super::{create, get, update};

fn acme() -> DeleteProjectRequest {
    DeleteProjectRequest { name: "projects/acme".into(), ..Default::default() }
}

fn forced() -> DeleteProjectRequest {
    DeleteProjectRequest { force: true, ..acme() }
}

async fn delete(server: &Server, request: DeleteProjectRequest) -> Result<(), Status> {
    let deleted = server.projects().delete_project(request).await;
    deleted.map(drop)
}

#[tokio::test]
async fn an_empty_project_is_deleted_with_its_system_key() {
    let server = Server::start().await;
    let request = proto::CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    };
    let created = create(&server, request.clone()).await.unwrap();
    delete(&server, acme()).await.unwrap();
    assert_not_found(&get(&server, "acme").await.unwrap_err(), "projects/acme");
    assert_eq!(server.code(&created.api_key).await, Code::NotFound);
    assert_not_found(&delete(&server, acme()).await.unwrap_err(), "projects/acme");

    let again = create(&server, request).await.unwrap();
    assert_ne!(again.project.unwrap().system_key, created.project.unwrap().system_key);
    assert_eq!(server.code(&created.api_key).await, Code::NotFound);
}

#[tokio::test]
async fn a_project_with_an_account_is_in_use() {
    let server = Server::start().await;
    server.project("acme").await;
    server.service_account("acme", "ci").await;
    let before = server.head().await;
    for validate_only in [false, true] {
        let request = DeleteProjectRequest { validate_only, ..acme() };
        let refused = delete(&server, request).await.unwrap_err();
        assert_refused(&refused, "IN_USE", "projects/acme");
        assert_eq!(metadata(&refused, "used_by").as_deref(), Some("service accounts"));
        assert_eq!(refused.message(), "projects/acme is in use by service accounts");
    }
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_project_with_a_deleted_key_is_in_use_until_it_is_purged() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = Key { service_account: "projects/acme/serviceAccounts/system".into(), ..Default::default() };
    let (key, _) = server.key("acme", owner).await;
    for purge in [false, true] {
        let refused = delete(&server, acme()).await.unwrap_err();
        assert_refused(&refused, "IN_USE", "projects/acme");
        assert_eq!(metadata(&refused, "used_by").as_deref(), Some("keys"));
        let request = proto::DeleteKeyRequest { name: key.name.clone(), purge, ..Default::default() };
        server.keys().delete_key(request).await.unwrap();
    }
    delete(&server, acme()).await.unwrap();
}

#[tokio::test]
async fn force_deletes_everything_but_the_audit_log() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let account = server.service_account("acme", "ci").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let (_, other) = server.key("other", Key::default()).await;
    assert_eq!(server.code(&api_key).await, Code::Valid);

    delete(&server, forced()).await.unwrap();
    assert_eq!(server.code(&api_key).await, Code::NotFound);
    assert_eq!(server.code(&other).await, Code::Valid);
    let name = key.name.clone();
    let gone = server.keys().get_key(GetKeyRequest { name }).await;
    assert_not_found(&gone.unwrap_err(), &key.name);
    let read = GetServiceAccountRequest { name: account.name.clone() };
    let gone = server.accounts().get_service_account(read).await;
    assert_not_found(&gone.unwrap_err(), &account.name);
    let list = ListKeysRequest { parent: "projects/acme".into(), show_deleted: true, ..Default::default() };
    let gone = server.keys().list_keys(list).await.unwrap_err();
    assert_not_found(&gone, "projects/acme");

    let trail = proto::ListAuditEventsRequest { parent: "projects/acme".into(), ..Default::default() };
    let trail = server.audit().list_audit_events(trail).await.unwrap();
    let trail = trail.into_inner().audit_events;
    let actions: Vec<_> = trail.iter().map(|event| event.action.as_str()).collect();
    let expected = [
        ["serviceAccounts.delete"; 3].as_slice(),
        &["keys.purge"; 2],
        &["projects.delete", "keys.create", "serviceAccounts.create", "serviceAccounts.create"],
        &["projects.create"],
    ];
    assert_eq!(actions, expected.concat());
}

#[tokio::test]
async fn a_project_of_the_same_id_inherits_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    delete(&server, forced()).await.unwrap();
    server.project("acme").await;
    assert_eq!(server.code(&api_key).await, Code::NotFound);
    let list = ListKeysRequest { parent: "projects/acme".into(), show_deleted: true, ..Default::default() };
    let keys = server.keys().list_keys(list).await.unwrap().into_inner().keys;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].protected);
}

#[tokio::test]
async fn the_system_project_cannot_be_deleted() {
    let server = Server::start().await;
    let before = server.head().await;
    for force in [false, true] {
        let request = DeleteProjectRequest { name: "projects/system".into(), force, ..Default::default() };
        let refused = delete(&server, request).await.unwrap_err();
        assert_refused(&refused, "PROTECTED", "projects/system");
    }
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_current_one() {
    let server = Server::start().await;
    let first = server.project("acme").await;
    let renamed = Project { name: first.name.clone(), display_name: "Acme".into(), ..Default::default() };
    let second = update(&server, renamed, &[]).await.unwrap();
    let with_etag = |etag: &str| DeleteProjectRequest { etag: etag.into(), force: true, ..acme() };
    let refused = delete(&server, with_etag(&first.etag)).await.unwrap_err();
    assert_stale(&refused, "projects/acme", &second.etag);
    delete(&server, with_etag(&second.etag)).await.unwrap();
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    let server = Server::start().await;
    let project = server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let before = server.head().await;
    let request = DeleteProjectRequest { validate_only: true, ..forced() };
    delete(&server, request).await.unwrap();
    assert_eq!(get(&server, "acme").await.unwrap(), project);
    assert_eq!(server.code(&api_key).await, Code::Valid);
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_malformed_name_is_invalid_and_an_unknown_one_not_found() {
    let server = Server::start().await;
    for name in ["", "acme", "projects/", "projects/-", "projects/acme/keys/x"] {
        let request = DeleteProjectRequest { name: name.into(), ..Default::default() };
        assert_invalid(&delete(&server, request).await.unwrap_err(), &["name"]);
    }
    assert_not_found(&delete(&server, forced()).await.unwrap_err(), "projects/acme");
}
