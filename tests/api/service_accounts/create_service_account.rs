//! CreateServiceAccount.

use proto::{CreateServiceAccountRequest, ServiceAccount, service_account::State};
use testkit::{
    server::Server,
    status::{assert_exists, assert_not_found, metadata, reason},
};
use tokio::task::JoinSet;
use tonic::Code;

use super::{CI, SYSTEM, create, get, new_ci};

async fn with_project() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server
}

#[tokio::test]
async fn an_account_has_the_requested_fields() {
    let server = with_project().await;
    let made = create(&server, new_ci()).await.unwrap();
    let asked = new_ci().service_account.unwrap();
    assert_eq!(made.name, CI);
    assert_eq!(made.display_name, asked.display_name);
    assert_eq!(made.external_id, asked.external_id);
    assert_eq!(made.metadata, asked.metadata);
    assert_eq!(made.state(), State::Active);
    assert!(!made.protected);
    assert_eq!(made.create_time, made.update_time);
    assert_eq!((made.disable_time, made.last_used_time), (None, None));
    assert_eq!(made.revision, server.head().await);
    let creator = made.created_by.clone().unwrap();
    assert_eq!(creator.service_account, "projects/system/serviceAccounts/root");
    assert_eq!(creator.display_name, "Root");
    assert_eq!(get(&server, CI).await.unwrap(), made);
}

#[tokio::test]
async fn without_an_id_the_server_chooses_one() {
    let server = with_project().await;
    let request = CreateServiceAccountRequest { parent: "projects/acme".into(), ..Default::default() };
    let one = create(&server, request.clone()).await.unwrap();
    let two = create(&server, request).await.unwrap();
    assert_ne!(one.name, two.name);
    assert_eq!(get(&server, &one.name).await.unwrap(), one);
}

#[tokio::test]
async fn output_only_fields_are_ignored() {
    let server = with_project().await;
    let mut request = new_ci();
    request.service_account = Some(ServiceAccount {
        name: SYSTEM.into(),
        state: State::Disabled.into(),
        disable_time: Some(prost_types::Timestamp::default()),
        last_used_time: Some(prost_types::Timestamp::default()),
        protected: true,
        revision: 99,
        etag: "stale".into(),
        ..Default::default()
    });
    let made = create(&server, request).await.unwrap();
    assert_eq!((made.name.as_str(), made.protected), (CI, false));
    assert_eq!(made.state(), State::Active);
    assert_eq!((made.disable_time, made.last_used_time), (None, None));
}

#[tokio::test]
async fn a_taken_id_is_refused() {
    let server = with_project().await;
    server.project("other").await;
    let made = create(&server, new_ci()).await.unwrap();
    let refused = create(&server, new_ci()).await.unwrap_err();
    assert_exists(&refused, CI);
    let system = CreateServiceAccountRequest { service_account_id: "system".into(), ..new_ci() };
    assert_exists(&create(&server, system).await.unwrap_err(), SYSTEM);
    let elsewhere = CreateServiceAccountRequest { parent: "projects/other".into(), ..new_ci() };
    create(&server, elsewhere).await.unwrap();
    assert_eq!(get(&server, CI).await.unwrap(), made);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    let refused = create(&server, new_ci()).await.unwrap_err();
    assert_not_found(&refused, "projects/acme");
}

#[tokio::test]
async fn a_repeat_returns_the_same_account() {
    let server = with_project().await;
    let request = CreateServiceAccountRequest {
        service_account_id: String::new(),
        request_id: "deploy-42".into(),
        ..new_ci()
    };
    let first = create(&server, request.clone()).await.unwrap();
    let after_first = server.head().await;
    assert_eq!(create(&server, request.clone()).await.unwrap(), first);
    assert_eq!(server.head().await, after_first);

    let other = CreateServiceAccountRequest { service_account: None, ..request };
    let refused = create(&server, other).await.unwrap_err();
    assert_eq!(reason(&refused, Code::FailedPrecondition), "REQUEST_ID_REUSED");
    assert_eq!(metadata(&refused, "request_id").unwrap(), "deploy-42");
}

#[tokio::test]
async fn concurrent_repeats_create_once() {
    let server = with_project().await;
    let before = server.head().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let request = CreateServiceAccountRequest {
            service_account_id: String::new(),
            request_id: "together".into(),
            ..new_ci()
        };
        let mut accounts = server.accounts();
        calls.spawn(async move { accounts.create_service_account(request).await });
    }
    let answers = calls.join_all().await;
    let names: Vec<_> =
        answers.into_iter().map(|it| it.unwrap().into_inner().service_account.unwrap().name).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert_eq!(server.head().await, before + 1);
}

#[tokio::test]
async fn request_ids_of_different_methods_are_independent() {
    let server = Server::start().await;
    let project = proto::CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(proto::Project { prefix: "acme".into(), ..Default::default() }),
        request_id: "1".into(),
        ..Default::default()
    };
    server.projects().create_project(project).await.unwrap();
    let account = CreateServiceAccountRequest { request_id: "1".into(), ..new_ci() };
    assert_eq!(create(&server, account).await.unwrap().name, CI);
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    let server = with_project().await;
    let before = server.head().await;
    let request = CreateServiceAccountRequest { validate_only: true, request_id: "trial".into(), ..new_ci() };
    let tried = create(&server, request.clone()).await.unwrap();
    assert_eq!(tried.name, CI);
    assert_eq!(tried.metadata, new_ci().service_account.unwrap().metadata);
    assert_not_found(&get(&server, CI).await.unwrap_err(), CI);
    assert_eq!(server.head().await, before);

    let in_earnest = CreateServiceAccountRequest { validate_only: false, ..request };
    create(&server, in_earnest).await.unwrap();
}
