//! CreateProject: what it creates, and repeats.

use proto::{Code, CreateProjectRequest, Project, key::State};
use testkit::{
    server::{Bearer, START, Server, channel},
    status::{assert_exists, assert_not_found, metadata, reason},
};
use tokio::task::JoinSet;
use tonic::Code as Grpc;

use super::{create, days, environment, get};

fn acme() -> CreateProjectRequest {
    CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_project_gets_a_protected_system_key() {
    let server = Server::start().await;
    let created = create(&server, acme()).await.unwrap();
    let (project, key) = (created.project.unwrap(), created.system_key.unwrap());

    assert_eq!(project.name, "projects/acme");
    assert_eq!(project.prefix, "acme");
    assert_eq!(project.display_name, "");
    let environments = [
        environment("production", "live"),
        environment("staging", "stage"),
        environment("development", "dev"),
    ];
    assert_eq!(project.environments, environments);
    assert_eq!(project.deleted_key_retention, Some(days(30)));
    let born = prost_types::Timestamp { seconds: START.as_micros() / 1_000_000, nanos: 0 };
    assert_eq!(project.create_time, Some(born));
    assert_eq!(project.update_time, Some(born));
    assert_eq!(project.revision, server.head().await);
    assert!(!project.etag.is_empty());

    assert_eq!(project.system_key, key.name);
    assert!(key.protected);
    assert_eq!(key.display_name, "System key");
    assert_eq!(key.roles, ["projects/acme/roles/privileged"]);
    assert_eq!(key.state(), State::Active);
    assert_eq!(key.environment, "production");
    assert_eq!(key.service_account, "projects/acme/serviceAccounts/system");
    assert_eq!(key.revision, project.revision);
    assert_eq!(key.created_by.unwrap().service_account, "projects/system/serviceAccounts/root");

    assert!(created.api_key.starts_with("acme_live_"));
    assert!(!created.api_key_already_issued);
    assert_eq!(server.code(&created.api_key).await, Code::Valid);
    assert_eq!(get(&server, "acme").await.unwrap(), project);
}

#[tokio::test]
async fn a_project_has_the_requested_fields() {
    let server = Server::start().await;
    let project = Project {
        display_name: "Grüße, 世界".into(),
        prefix: "a1".into(),
        environments: vec![environment("qa-1", "qa"), environment("live", "l")],
        deleted_key_retention: Some(days(0)),
        ..Default::default()
    };
    let request = CreateProjectRequest { project: Some(project.clone()), ..acme() };
    let created = create(&server, request).await.unwrap();
    assert!(created.api_key.starts_with("a1_qa_"), "the first is its own");
    let made = created.project.unwrap();
    assert_eq!(made.display_name, project.display_name);
    assert_eq!(made.environments, project.environments);
    assert_eq!(made.deleted_key_retention, project.deleted_key_retention);
}

#[tokio::test]
async fn output_only_fields_are_ignored() {
    let server = Server::start().await;
    let mut request = acme();
    let plain = request.project.take().unwrap();
    request.project = Some(Project {
        name: "projects/other".into(),
        system_key: "projects/system/keys/none".into(),
        create_time: Some(prost_types::Timestamp::default()),
        update_time: Some(prost_types::Timestamp::default()),
        etag: "stale".into(),
        revision: 99,
        ..plain
    });
    let project = create(&server, request).await.unwrap().project.unwrap();
    assert_eq!(project.name, "projects/acme");
    assert_eq!(project.revision, server.head().await);
    assert_ne!(project.create_time, Some(prost_types::Timestamp::default()));
    assert_ne!(project.system_key, "projects/system/keys/none");
}

#[tokio::test]
async fn a_taken_id_is_refused() {
    let server = Server::start().await;
    create(&server, acme()).await.unwrap();
    let before = server.head().await;
    for id in ["acme", "system"] {
        for validate_only in [false, true] {
            let request = CreateProjectRequest { project_id: id.into(), validate_only, ..acme() };
            let refused = create(&server, request).await.unwrap_err();
            assert_exists(&refused, &format!("projects/{id}"));
        }
    }
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn a_repeat_returns_the_same_project_and_no_api_key() {
    let server = Server::start().await;
    let request = CreateProjectRequest { request_id: "deploy-42".into(), ..acme() };
    let first = create(&server, request.clone()).await.unwrap();
    let after_first = server.head().await;
    let again = create(&server, request.clone()).await.unwrap();
    assert_eq!(again.project, first.project);
    assert_eq!(again.system_key.unwrap().name, first.system_key.unwrap().name);
    assert_eq!(again.api_key, "");
    assert!(again.api_key_already_issued && !first.api_key_already_issued);
    assert_eq!(server.head().await, after_first);
    assert_eq!(server.code(&first.api_key).await, Code::Valid);

    let other = CreateProjectRequest { project_id: "other".into(), ..request };
    let refused = create(&server, other).await.unwrap_err();
    assert_eq!(reason(&refused, Grpc::FailedPrecondition), "REQUEST_ID_REUSED");
    assert_eq!(metadata(&refused, "request_id").unwrap(), "deploy-42");
    assert_not_found(&get(&server, "other").await.unwrap_err(), "projects/other");
}

#[tokio::test]
async fn request_ids_of_different_callers_are_independent() {
    let server = Server::start().await;
    let (_, api_key) = server.key("system", proto::Key::default()).await;
    let request = CreateProjectRequest { request_id: "1".into(), ..acme() };
    create(&server, request.clone()).await.unwrap();
    let caller = Bearer::new(&api_key);
    let mut other =
        proto::project_service_client::ProjectServiceClient::with_interceptor(channel(server.admin), caller);
    let refused = other.create_project(request).await.unwrap_err();
    assert_exists(&refused, "projects/acme");
}

#[tokio::test]
async fn concurrent_repeats_create_once() {
    let server = Server::start().await;
    let before = server.head().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let request = CreateProjectRequest { request_id: "together".into(), ..acme() };
        let mut projects = server.projects();
        calls.spawn(async move { projects.create_project(request).await });
    }
    let answers = calls.join_all().await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.unwrap().into_inner()).collect();
    let fresh = answers.iter().filter(|it| !it.api_key.is_empty()).count();
    let repeats = answers.iter().filter(|it| it.api_key_already_issued).count();
    assert_eq!((fresh, repeats), (1, 7));
    assert!(answers.iter().all(|it| it.project == answers[0].project));
    assert_eq!(server.head().await, before + 1);
}

#[tokio::test]
async fn of_many_concurrent_creations_of_an_id_one_succeeds() {
    let server = Server::start().await;
    let before = server.head().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let mut projects = server.projects();
        calls.spawn(async move { projects.create_project(acme()).await });
    }
    let (made, refused): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 7));
    for refused in refused {
        assert_exists(&refused.unwrap_err(), "projects/acme");
    }
    assert_eq!(server.head().await, before + 1);
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    let server = Server::start().await;
    let before = server.head().await;
    let request = CreateProjectRequest { request_id: "trial".into(), validate_only: true, ..acme() };
    let tried = create(&server, request.clone()).await.unwrap();
    assert_eq!(tried.api_key, "");
    assert!(!tried.api_key_already_issued);
    assert_eq!(tried.project.unwrap().name, "projects/acme");
    assert_eq!(server.head().await, before);
    assert_not_found(&get(&server, "acme").await.unwrap_err(), "projects/acme");

    let in_earnest = CreateProjectRequest { validate_only: false, ..request };
    let made = create(&server, in_earnest).await.unwrap();
    assert!(!made.api_key.is_empty(), "the request id of the dry run is free");
}
