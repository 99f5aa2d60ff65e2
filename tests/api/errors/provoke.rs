//! Calls that fail, one for each reason.

use std::time::Duration;

use keystile::grpc::proto::{
    self, CreateProjectRequest, CreateServiceAccountRequest, DeleteKeyRequest, DeleteProjectRequest,
    DeleteServiceAccountRequest, DisableServiceAccountRequest, EnableServiceAccountRequest,
    GetProjectRequest, Key, ListProjectsRequest, ListServiceAccountsRequest, Project, UndeleteKeyRequest,
    UpdateProjectRequest, WatchAuditEventsRequest,
};
use tonic::{Code, Status};

use crate::support::{
    database::Kind,
    rpc::call,
    server::{Server, channel},
    status::reason,
};

use super::{ACME, CI};

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

/// As if its keys could not be purged; when they can, the id is free.
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
    let (name, etag) = (CI.to_owned(), String::new());
    if reason == "STATE_FORBIDS" {
        let enable = EnableServiceAccountRequest { name, etag };
        return accounts.enable_service_account(enable).await.unwrap_err();
    }
    // As if another change always came first.
    let trigger = "CREATE TRIGGER busy BEFORE UPDATE ON service_accounts BEGIN SELECT RAISE(IGNORE); END";
    server.database.execute(trigger).await;
    let head = server.head().await;
    let disable = DisableServiceAccountRequest { name, etag };
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
                key: Some(Key { roles: vec!["projects/acme/roles/viewer".into()], ..Default::default() }),
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
            let etag = String::new();
            server.keys().undelete_key(UndeleteKeyRequest { name, etag }).await.unwrap_err()
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

/// On PostgreSQL, whose connections end and which then takes no changes for a while.
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

/// On a server that stops while somebody watches.
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
