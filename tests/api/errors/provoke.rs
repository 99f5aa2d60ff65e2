//! Calls that fail, one for each reason.

use std::time::Duration;

use proto::{
    CreateProjectRequest, DeleteKeyRequest, DeleteProjectRequest, DeleteServiceAccountRequest,
    DisableServiceAccountRequest, EnableServiceAccountRequest, GetProjectRequest, Key, ListProjectsRequest,
    ListServiceAccountsRequest, Project, UndeleteKeyRequest, UpdateProjectRequest, WatchAuditEventsRequest,
};
use testkit::{
    rpc::{authorization, call},
    server::{Server, channel},
    status::reason,
};
use tokio::net::TcpStream;
use tonic::{Code, Status, codegen::http};

use super::{ACME, CI, crowd, failing};

/// A call that fails for this reason, on a server with `acme` and its account `ci`.
pub(super) async fn provoke(server: &Server, reason: &str) -> Status {
    match reason {
        "UNAUTHENTICATED" => {
            let path = "/keystile.v1.ProjectService/ListProjects";
            let call = call(&channel(server.admin), path, Default::default(), &[]).await;
            call.unwrap_err()
        }
        "INVALID_ARGUMENT" | "NOT_FOUND" | "INVALID_PAGE_TOKEN" => reading(server, reason).await,
        "NOT_YET_AVAILABLE" | "OWNER_GONE" | "REVISION_NOT_REACHED" => keys(server, reason).await,
        "CONFLICT" | "STATE_FORBIDS" => accounts(server, reason).await,
        "ALREADY_EXISTS" | "REQUEST_ID_REUSED" | "ETAG_MISMATCH" | "PROTECTED" | "IN_USE" => {
            projects(server, reason).await
        }
        "DELETION_UNDER_WAY" => deleting(server).await,
        "STORE_UNAVAILABLE" => failing::without_database().await,
        "STOPPING" => failing::stopping().await,
        "MALFORMED_REQUEST" | "TOO_LARGE" | "UNSUPPORTED" => transport(server, reason).await,
        "PERMISSION_DENIED" | "GRANT_EXCEEDS_CALLER" => denied(server, reason).await,
        "KEY_POLICY" => against_policy(server).await,
        "LIMIT_REACHED" => one_role_too_many(server).await,
        "TIME_LIMIT" => too_late(server).await,
        "TOO_MANY_CONNECTIONS" => crowd::refused().await,
        "REVISION_AHEAD" => {
            let after = WatchAuditEventsRequest {
                parent: "projects/-".into(),
                after_revision: 812,
                ..Default::default()
            };
            server.watch_as(&server.root, after).await.unwrap_err()
        }
        "OVERLOADED" => failing::overloaded().await,
        "QUERY_TOO_SLOW" => failing::too_slow().await,
        "OUTCOME_UNKNOWN" => failing::cut_off_within_commit().await,
        "INTERNAL" => {
            let edit = "UPDATE projects SET prefix = 'NO PREFIX'";
            server.database.execute(edit).await;
            let name = ACME.into();
            let got = server.projects().get_project(GetProjectRequest { name }).await;
            got.unwrap_err()
        }
        unknown => panic!("no call here provokes {unknown}"),
    }
}

/// Calls that fail before any verb.
async fn transport(server: &Server, reason: &str) -> Status {
    const VERIFY: &str = "/keystile.v1.VerifyService/Verify";
    let body = match reason {
        "MALFORMED_REQUEST" => vec![0xff],
        "TOO_LARGE" => vec![0; 4 * 1024 * 1024 + 1],
        _ => Vec::new(),
    };
    let path = if reason == "UNSUPPORTED" { "/keystile.v1.KeyService/GetKey" } else { VERIFY };
    let credential = authorization(&format!("Bearer {}", server.root));
    call(&channel(server.verify), path, credential, &body).await.unwrap_err()
}

/// A role in a project that has a thousand.
async fn one_role_too_many(server: &Server) -> Status {
    let copies = "INSERT INTO roles (project_id, id, display_name, description, permissions, endpoints, built_in, \
                  create_time, update_time, revision) \
                  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 998) \
                  SELECT project_id, 'r' || n, '', '', '[]', '[]', 0, create_time, update_time, revision \
                  FROM roles, numbers WHERE project_id = 'acme' AND id = 'viewer'";
    server.database.execute(copies).await;
    let request =
        proto::CreateRoleRequest { parent: ACME.into(), role_id: "one-more".into(), ..Default::default() };
    server.roles().create_role(request).await.unwrap_err()
}

/// A key that never expires, in a project whose keys must.
async fn against_policy(server: &Server) -> Status {
    let key_policy = Some(proto::KeyPolicy { require_expiration: true, ..Default::default() });
    let project = Project { name: ACME.into(), key_policy, ..Default::default() };
    let update = UpdateProjectRequest { project: Some(project), ..Default::default() };
    server.projects().update_project(update).await.unwrap();
    let key = Some(Key { environment: "production".into(), ..Default::default() });
    let request = proto::CreateKeyRequest { parent: ACME.into(), key, ..Default::default() };
    server.keys().create_key(request).await.unwrap_err()
}

/// Calls of a caller that may not do what it asks for.
async fn denied(server: &Server, reason: &str) -> Status {
    let permission = if reason == "PERMISSION_DENIED" { "keys.read" } else { "keys.create" };
    let key = |permission: &str, project: &str| Key {
        environment: "production".into(),
        permissions: vec![permission.into()],
        customers: vec![project.into()],
        ..Default::default()
    };
    let (_, api_key) = server.key("system", key(permission, "system")).await;
    let request = proto::CreateKeyRequest {
        parent: "projects/system".into(),
        key: Some(key("*", "*")),
        ..Default::default()
    };
    server.keys_as(&api_key).create_key(request).await.unwrap_err()
}

/// A call whose body does not arrive before its deadline, by a client that does not enforce the deadline itself.
async fn too_late(server: &Server) -> Status {
    let stream = TcpStream::connect(server.verify).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/keystile.v1.VerifyService/Verify")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "50m")
        .header("authorization", format!("Bearer {}", server.root));
    let mut client = client.ready().await.unwrap();
    let (response, _body) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let response = tokio::time::timeout(Duration::from_secs(60), response).await.unwrap().unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

async fn reading(server: &Server, reason: &str) -> Status {
    match reason {
        "INVALID_ARGUMENT" => {
            let request = ListServiceAccountsRequest {
                parent: ACME.into(),
                filter: "state = ACTIVE  color = red".into(),
                ..Default::default()
            };
            let listed = server.accounts().list_service_accounts(request).await;
            listed.unwrap_err()
        }
        "NOT_FOUND" => {
            let name = "projects/none".into();
            let got = server.projects().get_project(GetProjectRequest { name }).await;
            got.unwrap_err()
        }
        _ => {
            let request = ListProjectsRequest { page_token: "x".into(), ..Default::default() };
            server.projects().list_projects(request).await.unwrap_err()
        }
    }
}

async fn projects(server: &Server, reason: &str) -> Status {
    let mut projects = server.projects();
    let create = |id: &str, request_id: &str| CreateProjectRequest {
        project_id: id.into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        request_id: request_id.into(),
        ..Default::default()
    };
    let delete = |name: &str| DeleteProjectRequest { name: name.into(), ..Default::default() };
    match reason {
        "ALREADY_EXISTS" => projects.create_project(create("acme", "")).await.unwrap_err(),
        "REQUEST_ID_REUSED" => {
            projects.create_project(create("one", "deploy-42")).await.unwrap();
            projects.create_project(create("two", "deploy-42")).await.unwrap_err()
        }
        "ETAG_MISMATCH" => {
            let request = UpdateProjectRequest {
                project: Some(Project { name: ACME.into(), etag: "stale".into(), ..Default::default() }),
                ..Default::default()
            };
            projects.update_project(request).await.unwrap_err()
        }
        "PROTECTED" => projects.delete_project(delete("projects/system")).await.unwrap_err(),
        _ => projects.delete_project(delete(ACME)).await.unwrap_err(),
    }
}

/// A project whose keys cannot be purged yet; once they are, the id is free.
async fn deleting(server: &Server) -> Status {
    let stuck = "CREATE TRIGGER stuck BEFORE DELETE ON keys BEGIN SELECT RAISE(ABORT, 'stuck'); END";
    server.database.execute(stuck).await;
    let mut projects = server.projects();
    let delete = DeleteProjectRequest { name: ACME.into(), force: true, ..Default::default() };
    projects.delete_project(delete.clone()).await.unwrap();
    assert_eq!(reason(&projects.delete_project(delete).await.unwrap_err(), Code::NotFound), "NOT_FOUND");
    let create = CreateProjectRequest {
        project_id: "acme".into(),
        project: Some(Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    };
    projects.create_project(create).await.unwrap_err()
}

async fn accounts(server: &Server, reason: &str) -> Status {
    let mut accounts = server.accounts();
    let name = CI.to_owned();
    if reason == "STATE_FORBIDS" {
        let enable = EnableServiceAccountRequest { name, ..Default::default() };
        return accounts.enable_service_account(enable).await.unwrap_err();
    }
    // As if another change always committed first.
    let trigger = "CREATE TRIGGER busy BEFORE UPDATE ON service_accounts BEGIN SELECT RAISE(IGNORE); END";
    server.database.execute(trigger).await;
    let head = server.head().await;
    let disable = DisableServiceAccountRequest { name, ..Default::default() };
    let refused = accounts.disable_service_account(disable.clone()).await;
    assert_eq!(server.head().await, head, "nothing was done");
    server.database.execute("DROP TRIGGER busy").await;
    accounts.disable_service_account(disable).await.unwrap();
    refused.unwrap_err()
}

async fn keys(server: &Server, reason: &str) -> Status {
    match reason {
        "NOT_YET_AVAILABLE" => {
            let request = proto::CreateKeyRequest {
                parent: ACME.into(),
                key: Some(Key { plan: "free".into(), ..Default::default() }),
                ..Default::default()
            };
            server.keys().create_key(request).await.unwrap_err()
        }
        "OWNER_GONE" => {
            let key = Key { service_account: CI.into(), ..Default::default() };
            let name = server.key("acme", key).await.0.name;
            let delete = DeleteKeyRequest { name: name.clone(), ..Default::default() };
            server.keys().delete_key(delete).await.unwrap();
            let delete = DeleteServiceAccountRequest { name: CI.into(), ..Default::default() };
            server.accounts().delete_service_account(delete).await.unwrap();
            let undelete = UndeleteKeyRequest { name, ..Default::default() };
            server.keys().undelete_key(undelete).await.unwrap_err()
        }
        _ => {
            let request = proto::VerifyRequest {
                api_key: server.root.clone(),
                min_revision: 812,
                ..Default::default()
            };
            server.verifier().verify(request).await.unwrap_err()
        }
    }
}
