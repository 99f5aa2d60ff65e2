//! Calls that fail because of the database or a stop, each on a server of its own.

use std::time::Duration;

use proto::{CreateServiceAccountRequest, ListProjectsRequest, WatchAuditEventsRequest};
use sea_orm::{ConnectionTrait, Statement};
use testkit::{
    database::{Database, Kind},
    server::Server,
    status::reason,
};
use tonic::{Code, Status};

use crate::overload::never_ending_projects;

use super::{
    ACME,
    cut::{Cut, Cutter},
};

/// On PostgreSQL, whose connections are closed and which then accepts none for a while.
pub(super) async fn without_database() -> Status {
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
pub(super) async fn cut_off_within_commit() -> Status {
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
pub(super) async fn stopping() -> Status {
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
pub(super) async fn overloaded() -> Status {
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
pub(super) async fn too_slow() -> Status {
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
