//! Which calls write no event, and what no event contains.

use base64::{Engine, engine::general_purpose::STANDARD};
use proto::{
    CountKeysRequest, CreateProjectRequest, CreateServiceAccountRequest, DeleteKeyRequest,
    DeleteProjectRequest, DeleteRoleRequest, DeleteServiceAccountRequest, ExplainVerifyRequest,
    GetKeyRequest, GetProjectRequest, GetRoleRequest, GetServiceAccountRequest, Key, ListKeysRequest,
    ListProjectsRequest, ListRolesRequest, ListServiceAccountsRequest, LookupKeyRequest, Project, Role,
    RotateKeyRequest, ServiceAccount, UpdateKeyRequest, UpdateProjectRequest, UpdateRoleRequest,
    UpdateServiceAccountRequest, explain_verify_request, lookup_key_request,
};
use sea_orm::{ConnectionTrait, Statement};
use testkit::server::Server;

use super::{check, hex, log};

const ACME: &str = "projects/acme";
const VIEWER: &str = "projects/acme/roles/viewer";
const CI: &str = "projects/acme/serviceAccounts/ci";

#[tokio::test]
async fn reads_write_no_event() {
    let server = Server::start().await;
    server.project("acme").await;
    server.service_account("acme", "ci").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let before = server.head().await;

    let (parent, name) = (ACME.to_owned(), ACME.to_owned());
    let mut projects = server.projects();
    projects.get_project(GetProjectRequest { name }).await.unwrap();
    projects.list_projects(ListProjectsRequest::default()).await.unwrap();
    let mut accounts = server.accounts();
    let get = GetServiceAccountRequest { name: CI.into() };
    accounts.get_service_account(get).await.unwrap();
    let list = ListServiceAccountsRequest { parent: parent.clone(), ..Default::default() };
    accounts.list_service_accounts(list).await.unwrap();
    let mut roles = server.roles();
    roles.get_role(GetRoleRequest { name: VIEWER.into() }).await.unwrap();
    let list = ListRolesRequest { parent: parent.clone(), ..Default::default() };
    roles.list_roles(list).await.unwrap();
    let mut keys = server.keys();
    let name = key.name;
    keys.get_key(GetKeyRequest { name: name.clone() }).await.unwrap();
    let list = ListKeysRequest { parent: parent.clone(), ..Default::default() };
    keys.list_keys(list).await.unwrap();
    let count = CountKeysRequest { parent: parent.clone(), ..Default::default() };
    keys.count_keys(count).await.unwrap();
    let lookup = LookupKeyRequest {
        parent: parent.clone(),
        query: Some(lookup_key_request::Query::ApiKey(api_key.clone())),
    };
    keys.lookup_key(lookup).await.unwrap();
    let explain = ExplainVerifyRequest {
        parent,
        subject: Some(explain_verify_request::Subject::Name(name)),
        ..Default::default()
    };
    keys.explain_verify(explain).await.unwrap();
    assert_eq!(server.code(&api_key).await, proto::Code::Valid);
    let verify = proto::VerifyRequest { api_key, ..Default::default() };
    let batch = proto::BatchVerifyRequest { requests: vec![verify.clone()] };
    server.verifier().batch_verify(batch).await.unwrap();
    let verify = proto::StreamVerifyRequest { request: Some(verify) };
    let answers = server.verifier().stream_verify(tokio_stream::once(verify)).await;
    assert!(answers.unwrap().into_inner().message().await.unwrap().is_some());
    let watch = proto::WatchAuditEventsRequest { parent: "projects/-".into(), ..Default::default() };
    let watch = server.audit().watch_audit_events(watch).await.unwrap();
    drop(watch);
    check(&server).await;
    assert_eq!(i64::try_from(log(&server).await.len()).unwrap(), before);
}

#[tokio::test]
async fn validate_only_writes_no_event() {
    let server = Server::start().await;
    server.project("acme").await;
    server.service_account("acme", "ci").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let reader = server.role("reader", &[]).await.name;
    let before = server.head().await;
    let validate_only = true;

    let mut projects = server.projects();
    let project = Project {
        name: ACME.into(),
        prefix: "acme".into(),
        display_name: "Beta".into(),
        ..Default::default()
    };
    let create = CreateProjectRequest {
        project: Some(project.clone()),
        project_id: "beta".into(),
        validate_only,
        ..Default::default()
    };
    projects.create_project(create).await.unwrap();
    let update = UpdateProjectRequest { project: Some(project), validate_only, ..Default::default() };
    projects.update_project(update).await.unwrap();
    let delete = DeleteProjectRequest { name: ACME.into(), force: true, validate_only, ..Default::default() };
    projects.delete_project(delete).await.unwrap();

    let mut accounts = server.accounts();
    let create = CreateServiceAccountRequest { parent: ACME.into(), validate_only, ..Default::default() };
    accounts.create_service_account(create).await.unwrap();
    let account = ServiceAccount { name: CI.into(), display_name: "CI".into(), ..Default::default() };
    let update =
        UpdateServiceAccountRequest { service_account: Some(account), validate_only, ..Default::default() };
    accounts.update_service_account(update).await.unwrap();
    let delete = DeleteServiceAccountRequest { name: CI.into(), validate_only, ..Default::default() };
    accounts.delete_service_account(delete).await.unwrap();

    let mut roles = server.roles();
    let create = proto::CreateRoleRequest {
        parent: ACME.into(),
        role_id: "editor".into(),
        validate_only,
        ..Default::default()
    };
    roles.create_role(create).await.unwrap();
    let role = Role { name: reader.clone(), description: "Reads.".into(), ..Default::default() };
    let update = UpdateRoleRequest { role: Some(role), validate_only, ..Default::default() };
    roles.update_role(update).await.unwrap();
    for force in [false, true] {
        let delete = DeleteRoleRequest { name: reader.clone(), force, validate_only, ..Default::default() };
        roles.delete_role(delete).await.unwrap();
    }

    let mut keys = server.keys();
    let create = proto::CreateKeyRequest {
        parent: ACME.into(),
        key: Some(Key { environment: "staging".into(), ..Default::default() }),
        validate_only,
        ..Default::default()
    };
    keys.create_key(create).await.unwrap();
    let update = UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), display_name: "Other".into(), ..Default::default() }),
        validate_only,
        ..Default::default()
    };
    keys.update_key(update).await.unwrap();
    let rotate = RotateKeyRequest { name: key.name.clone(), validate_only, ..Default::default() };
    keys.rotate_key(rotate).await.unwrap();
    for purge in [false, true] {
        let delete = DeleteKeyRequest { name: key.name.clone(), purge, validate_only, ..Default::default() };
        keys.delete_key(delete).await.unwrap();
    }
    assert_eq!(i64::try_from(log(&server).await.len()).unwrap(), before);
    assert!(check(&server).await.intact);
}

#[tokio::test]
async fn no_event_contains_a_secret_or_its_digest() {
    let server = Server::start().await;
    let project = CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    };
    let created = server.projects().create_project(project).await.unwrap().into_inner();
    let (key, api_key) = server.key("acme", Key::default()).await;
    let rotate = RotateKeyRequest {
        name: key.name.clone(),
        grace_period: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let rotated = server.keys().rotate_key(rotate).await.unwrap().into_inner();
    let api_keys = [&server.root, &created.api_key, &api_key, &rotated.api_key];
    let digests = digests(&server).await;
    assert_eq!(digests.len(), api_keys.len());

    let delete = DeleteKeyRequest { name: key.name, purge: true, ..Default::default() };
    server.keys().delete_key(delete).await.unwrap();
    let log = log(&server).await;
    // Including two of the implicit account, which was created and deleted with the key.
    assert_eq!(log.len(), 7);
    let text = format!("{log:?}");
    for api_key in api_keys {
        // Prefix, environment and id are public; these are its last 50 characters.
        let secret = &api_key[api_key.len() - 50..];
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(!text.contains(secret) && !text.contains(&secret[..22]));
    }
    for digest in digests {
        for shown in [
            hex(&digest),
            hex(&digest).to_uppercase(),
            STANDARD.encode(&digest).trim_end_matches('=').to_owned(),
            format!("{digest:?}"),
        ] {
            assert!(!text.contains(&shown), "{shown}");
        }
    }
}

async fn digests(server: &Server) -> Vec<Vec<u8>> {
    let raw = server.database.raw().await;
    let query = Statement::from_string(raw.get_database_backend(), "SELECT digest FROM secrets");
    let rows = raw.query_all_raw(query).await.unwrap();
    raw.close().await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
