//! Health while the database is down: the process is live, verifications stay ready for a while, admin calls do not.

use std::time::Duration;

use proto::{Code, Key};
use testkit::{
    database::Kind,
    server::{Server, channel},
};
use tokio::time::{sleep, timeout};
use tonic_health::pb::{
    HealthCheckRequest,
    health_check_response::ServingStatus::{self, NotServing, Serving},
    health_client::HealthClient,
};

const PROCESS: &str = "";
const VERIFY: &str = "keystile.v1.VerifyService";
const KEYS: &str = "keystile.v1.KeyService";

async fn status(server: &Server, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.into() };
    HealthClient::new(channel(server.verify)).check(request).await.unwrap().into_inner().status()
}

async fn statuses(server: &Server) -> [ServingStatus; 3] {
    [status(server, PROCESS).await, status(server, VERIFY).await, status(server, KEYS).await]
}

/// Waits until the health of all services is as expected.
async fn wait_for(server: &Server, expected: [ServingStatus; 3]) {
    let mut last = None;
    let waiting = timeout(Duration::from_secs(30), async {
        while last != Some(expected) {
            last = Some(statuses(server).await);
            sleep(Duration::from_millis(20)).await;
        }
    });
    if waiting.await.is_err() {
        panic!("process, verify and keys stay {last:?}");
    }
}

/// Refuses connections to the database and closes existing ones, or allows them again.
async fn allow_connections(server: &Server, allow: bool) {
    let other = server.database.name();
    let update = format!("UPDATE pg_database SET datallowconn = {allow} WHERE datname = '{other}'");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{other}'");
    server.database.on_server(&update).await;
    if !allow {
        server.database.on_server(&end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verifications_are_ready_for_as_long_as_the_cache_may_answer() {
    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    assert_eq!(server.code(&api_key).await, Code::Valid);
    wait_for(&server, [Serving, Serving, Serving]).await;

    allow_connections(&server, false).await;
    wait_for(&server, [Serving, Serving, NotServing]).await;
    assert_eq!(server.code(&api_key).await, Code::Valid, "a warm key is served");
    // KEYSTILE_MAX_STALENESS.
    server.clock.advance(Duration::from_secs(31));
    wait_for(&server, [Serving, NotServing, NotServing]).await;

    allow_connections(&server, true).await;
    wait_for(&server, [Serving, Serving, Serving]).await;
    assert_eq!(server.code(&api_key).await, Code::Valid);

    let server = server.restart_with(&[("KEYSTILE_FAIL_OPEN", "true")]).await;
    allow_connections(&server, false).await;
    wait_for(&server, [Serving, Serving, NotServing]).await;
    server.clock.advance(Duration::from_secs(3600));
    // Ready for ever: still so after two more checks.
    sleep_for_two_checks(&server).await;
    assert_eq!(statuses(&server).await, [Serving, Serving, NotServing]);
    allow_connections(&server, true).await;
    wait_for(&server, [Serving, Serving, Serving]).await;
    server.stop().await;
}

/// That a state does not change can only be seen by waiting.
async fn sleep_for_two_checks(server: &Server) {
    let mut watched = HealthClient::new(channel(server.verify));
    let request = HealthCheckRequest { service: VERIFY.into() };
    let mut watch = watched.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving);
    let change = timeout(Duration::from_millis(2500), watch.message()).await;
    assert!(change.is_err(), "the health changed: {change:?}");
}
