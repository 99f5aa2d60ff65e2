//! Calls that fail, one for each reason.

use std::time::Duration;

use proto::{
    CreateProjectRequest, CreateServiceAccountRequest, DeleteKeyRequest, DeleteProjectRequest,
    DeleteServiceAccountRequest, DisableServiceAccountRequest, EnableServiceAccountRequest,
    GetProjectRequest, Key, ListProjectsRequest, ListServiceAccountsRequest, Project, UndeleteKeyRequest,
    UpdateProjectRequest, WatchAuditEventsRequest,
};
use sea_orm::{ConnectionTrait, Statement};
use testkit::{
    database::{Database, Kind},
    rpc::{authorization, call},
    server::{Server, channel},
    status::reason,
};
use tokio::net::TcpStream;
use tonic::{Code, Status, codegen::http};

use crate::overload::never_ending_projects;

use super::{
    ACME, CI, crowd,
    cut::{Cut, Cutter},
};

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
        "STORE_UNAVAILABLE" => without_database().await,
        "STOPPING" => stopping().await,
        "MALFORMED_REQUEST" | "TOO_LARGE" | "UNSUPPORTED" => transport(server, reason).await,
        "PERMISSION_DENIED" | "GRANT_EXCEEDS_CALLER" => denied(server, reason).await,
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
        "OVERLOADED" => overloaded().await,
        "QUERY_TOO_SLOW" => too_slow().await,
        "OUTCOME_UNKNOWN" => cut_off_within_commit().await,
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

/// On PostgreSQL, whose connections are closed and which then accepts none for a while.
async fn without_database() -> Status {
    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    read_only(&server, "SET default_transaction_read_only = on").await;
    let request = || CreateServiceAccountRequest {
        parent: ACME.into(),
        request_id: "again".into(),
        ..Default::default()
    };
    let mut accounts = server.accounts();
    let refused = accounts.create_service_account(request()).await.unwrap_err();
    read_only(&server, "RESET default_transaction_read_only").await;
    let healed = async {
        loop {
            match accounts.create_service_account(request()).await {
                Ok(_) => return,
                Err(failed) => assert_eq!(reason(&failed, Code::Unavailable), "STORE_UNAVAILABLE"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healed).await.unwrap();
    refused
}

async fn read_only(server: &Server, change: &str) {
    let alter = format!(
        "SET TRANSACTION READ WRITE; \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {change}', current_database()); END $$"
    );
    server.database.execute(&alter).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    server.database.execute(end).await;
}

/// On PostgreSQL, whose connection is cut before the answer to COMMIT.
async fn cut_off_within_commit() -> Status {
    let mut database = Database::empty(Kind::Postgres).await;
    let cutter = Cutter::before(&mut database, b"serviceAccounts.create").await;
    let server = Server::start_over(database).await;
    server.project("acme").await;
    let request = |id: &str| CreateServiceAccountRequest {
        parent: ACME.into(),
        service_account_id: id.into(),
        request_id: id.into(),
        ..Default::default()
    };
    let mut accounts = server.accounts();
    for (cut, id, made) in [(Cut::BeforeCommit, "lost", false), (Cut::BehindCommit, "ci", true)] {
        let head = server.head().await;
        cutter.arm(cut);
        let unknown = accounts.create_service_account(request(id)).await.unwrap_err();
        cutter.disarm();
        assert_eq!(server.head().await, head + i64::from(made), "{id}");
        let repeated = accounts.create_service_account(request(id)).await.unwrap().into_inner();
        assert_eq!(repeated.service_account.unwrap().revision, head + 1, "{id}");
        assert_eq!(server.head().await, head + 1, "{id} is created once");
        if made {
            return unknown;
        }
        assert_eq!(reason(&unknown, Code::Unknown), "OUTCOME_UNKNOWN");
    }
    unreachable!("the last attempt returns")
}

/// On a server that stops during a watch.
async fn stopping() -> Status {
    let server = Server::start().await;
    let request = WatchAuditEventsRequest { parent: "projects/-".into(), ..Default::default() };
    let mut watch = server.watch_as(&server.root, request).await.unwrap();
    let stopping = tokio::spawn(server.stop());
    let status = loop {
        if let Err(status) = watch.message().await {
            break status;
        }
    };
    stopping.await.unwrap();
    status
}

/// While another process holds the write lock, one change waits at the database and the next for its turn.
async fn overloaded() -> Status {
    let server = Server::start().await;
    server.project("acme").await;
    let server = server.restart_with(&[("KEYSTILE_DATABASE_TIMEOUT", "500ms")]).await;
    let writer = server.database.raw().await;
    writer.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let create = || {
        let mut accounts = server.accounts();
        let request = CreateServiceAccountRequest { parent: ACME.into(), ..Default::default() };
        async move { accounts.create_service_account(request).await.unwrap_err() }
    };
    let refused = tokio::select! {
        first = create() => first,
        second = create() => second,
    };
    writer.execute_unprepared("ROLLBACK").await.unwrap();
    writer.close().await.unwrap();
    refused
}

/// On PostgreSQL, where another session cancels the query, as the statement timeout would.
async fn too_slow() -> Status {
    const END: &str = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                       WHERE datname = current_database() AND state = 'active' \
                       AND query LIKE '%\"projects\"%' AND pid <> pg_backend_pid()";

    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    never_ending_projects(&server).await;
    let mut projects = server.projects();
    let listed = tokio::spawn(async move { projects.list_projects(ListProjectsRequest::default()).await });
    let raw = server.database.raw().await;
    let end = Statement::from_string(raw.get_database_backend(), END);
    while !listed.is_finished() {
        raw.query_one_raw(end.clone()).await.unwrap();
    }
    raw.close().await.unwrap();
    listed.await.unwrap().unwrap_err()
}
