//! Overload by admins: verifications and probes are not affected, and calls beyond a bound are refused early.

use std::time::Duration;

use proto::{Code, CreateKeyRequest, GetProjectRequest, Key, ListProjectsRequest, VerifyRequest};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use testkit::{
    database::Kind,
    server::{Server, channel},
    status::reason,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Status;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// A generous limit for what happens in the background, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A timeout long enough for every change to have its turn.
pub(crate) const PATIENT: (&str, &str) = ("KEYSTILE_DATABASE_TIMEOUT", "60s");

pub(crate) fn create() -> CreateKeyRequest {
    CreateKeyRequest {
        parent: "projects/acme".into(),
        key: Some(Key { environment: "production".into(), ..Default::default() }),
        ..Default::default()
    }
}

fn creating(server: &Server, number: usize) -> JoinSet<Result<(), Status>> {
    let keys = server.keys();
    let mut creating = JoinSet::new();
    for _ in 0..number {
        let mut keys = keys.clone();
        creating.spawn(async move { keys.create_key(create()).await.map(drop) });
    }
    creating
}

async fn count(raw: &DatabaseConnection, sql: &str) -> i64 {
    let row = raw.query_one_raw(Statement::from_string(raw.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// Waits until the count that `sql` returns is as wanted.
pub(crate) async fn wait_for(raw: &DatabaseConnection, sql: &str, wanted: impl Fn(i64) -> bool) {
    let waiting = timeout(PATIENCE, async {
        while !wanted(count(raw, sql).await) {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waiting.await.unwrap_or_else(|_| panic!("the count never gets there: {sql}"));
}

pub(crate) const WAIT_FOR_THE_HEAD: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                                 AND wait_event_type = 'Lock' AND query LIKE '%change_head%'";

async fn status(server: &Server, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.into() };
    HealthClient::new(channel(server.admin)).check(request).await.unwrap().into_inner().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_keys_are_verified_while_many_changes_wait() {
    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    let mut api_keys = Vec::new();
    for _ in 0..50 {
        api_keys.push(server.key("acme", Key::default()).await.1);
    }
    let server = server.restart_with(&[PATIENT]).await;
    let (holder, raw) = (server.database.raw().await, server.database.raw().await);
    holder.execute_unprepared("BEGIN; SELECT * FROM change_head FOR UPDATE").await.unwrap();
    let mut creating = creating(&server, 60);
    wait_for(&raw, WAIT_FOR_THE_HEAD, |waiting| waiting >= 2).await;
    // Reads of admins still work. When this one returns, every change waits for its turn or at the database.
    let get = GetProjectRequest { name: "projects/acme".into() };
    timeout(PATIENCE, server.projects().get_project(get)).await.unwrap().unwrap();

    for api_key in api_keys {
        let request = VerifyRequest { api_key, ..Default::default() };
        let mut verifier = server.verifier();
        let answer = timeout(PATIENCE, verifier.verify(request)).await.unwrap().unwrap().into_inner();
        assert_eq!((answer.code(), answer.degraded), (Code::Valid, false));
    }
    for service in ["", "keystile.v1.VerifyService", "keystile.v1.KeyService"] {
        assert_eq!(status(&server, service).await, ServingStatus::Serving, "{service}");
    }
    assert!(count(&raw, WAIT_FOR_THE_HEAD).await <= 2, "a change that waits for its turn holds a connection");

    holder.execute_unprepared("COMMIT").await.unwrap();
    while let Some(created) = creating.join_next().await {
        created.unwrap().unwrap();
    }
    for raw in [holder, raw] {
        raw.close().await.unwrap();
    }
    server.stop().await;
}

/// Some hundreds of changes may wait; those beyond are refused, because they would time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_beyond_the_queue_are_refused_at_once() {
    const CALLS: usize = 800;

    let server = Server::start().await;
    server.project("acme").await;
    let server = server.restart_with(&[PATIENT]).await;
    let holder = server.database.raw().await;
    holder.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let mut creating = creating(&server, CALLS);
    let refused = timeout(PATIENCE, async {
        let mut refused = 0;
        // All but the one at the database and those that may wait for it.
        while refused < CALLS - 1 - 512 {
            let status = creating.join_next().await.unwrap().unwrap().unwrap_err();
            // The change at the database fails with its own timeout.
            if reason(&status, tonic::Code::Unavailable) == "OVERLOADED" {
                refused += 1;
            }
        }
    });
    refused.await.expect("changes beyond the bound wait");
    holder.execute_unprepared("ROLLBACK").await.unwrap();
    let made = timeout(PATIENCE, async {
        // Until the first waiting changes have had their turns.
        while let Err(status) = server.keys().create_key(create()).await {
            assert_eq!(reason(&status, tonic::Code::Unavailable), "OVERLOADED");
        }
    });
    made.await.expect("the queue stays full");
    creating.abort_all();
    holder.close().await.unwrap();
}

/// Makes every query of projects run for ever.
pub(crate) async fn never_ending_projects(server: &Server) {
    let rename = "ALTER TABLE projects RENAME TO real_projects";
    let view = "CREATE VIEW projects AS SELECT * FROM real_projects WHERE pg_sleep(3600) IS NULL";
    server.database.execute(&format!("{rename}; {view}")).await;
}

/// A call that the client gives up leaves no running query and no connection in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_ends_its_query_in_the_database() {
    const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND state = 'active' AND pid <> pg_backend_pid()";

    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    never_ending_projects(&server).await;
    let raw = server.database.raw().await;
    let mut giving_up = JoinSet::new();
    // More than the connections for reads of admins.
    for _ in 0..20 {
        let mut projects = server.projects();
        giving_up.spawn(async move {
            let list = projects.list_projects(ListProjectsRequest::default());
            // A timeout of the client: it resets the stream, and does not wait for the server.
            assert!(
                timeout(Duration::from_secs(2), list).await.is_err(),
                "the call ended before the timeout"
            );
        });
    }
    wait_for(&raw, RUNNING, |running| running >= 5).await;
    while let Some(gave_up) = giving_up.join_next().await {
        gave_up.unwrap();
    }
    wait_for(&raw, RUNNING, |running| running == 0).await;
    let events = proto::ListAuditEventsRequest { parent: "projects/acme".into(), ..Default::default() };
    timeout(PATIENCE, server.audit().list_audit_events(events)).await.unwrap().unwrap();
    raw.close().await.unwrap();
    server.stop().await;
}
