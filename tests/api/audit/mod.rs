//! AuditService: the change log.

/// Instantiates each `async fn(Server)` as a test on every database.
macro_rules! on_every_database {
    ($($test:ident),+) => {
        on_every_database!(@on sqlite Sqlite $($test),+);
        on_every_database!(@on postgres Postgres $($test),+);
        on_every_database!(@on mariadb MySql $($test),+);
    };
    (@on $name:ident $kind:ident $($test:ident),+) => {
        mod $name {
            use testkit::{database::Kind, server::Server};
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(Server::start_on(Kind::$kind).await).await;
                }
            )+
        }
    };
}

mod actors;
mod chain;
mod contents;
mod filters;
mod list_audit_events;
mod long_log;
mod tampering;
mod trail;
mod verify_audit_chain;

use std::time::Duration;

use domain::{audit::Event, time::Timestamp};
use proto::{
    AuditEvent, Key, ListAuditEventsRequest, ListAuditEventsResponse, VerifyAuditChainRequest,
    VerifyAuditChainResponse,
};
use testkit::server::Server;
use tonic::{Code, Status};

const ROOT: &str = "projects/system/serviceAccounts/root";

/// The whole log, oldest first.
fn everything() -> ListAuditEventsRequest {
    ListAuditEventsRequest {
        parent: "projects/-".into(),
        page_size: 1000,
        order_by: "revision".into(),
        ..Default::default()
    }
}

async fn list(server: &Server, request: ListAuditEventsRequest) -> Result<ListAuditEventsResponse, Status> {
    let listed = server.audit().list_audit_events(request).await;
    listed.map(|listed| listed.into_inner())
}

async fn log(server: &Server) -> Vec<AuditEvent> {
    list(server, everything()).await.unwrap().audit_events
}

async fn newest(server: &Server) -> AuditEvent {
    let request = ListAuditEventsRequest { page_size: 1, order_by: String::new(), ..everything() };
    list(server, request).await.unwrap().audit_events.remove(0)
}

/// The result of VerifyAuditChain for the whole log. While the log is edited in the database, the node may be unavailable
/// for a moment, so this retries.
async fn check(server: &Server) -> VerifyAuditChainResponse {
    let checking = async {
        loop {
            match check_range(server, 0, 0).await {
                Err(status) if status.code() == Code::Unavailable => tokio::task::yield_now().await,
                checked => return checked.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), checking).await.expect("the node answers again")
}

async fn check_range(
    server: &Server,
    start_revision: i64,
    end_revision: i64,
) -> Result<VerifyAuditChainResponse, Status> {
    let request = VerifyAuditChainRequest { start_revision, end_revision };
    let checked = server.audit().verify_audit_chain(request).await;
    checked.map(|checked| checked.into_inner())
}

/// Six changes, the first of which is made by the first start.
async fn six_changes(server: &Server) {
    server.project("acme").await;
    server.service_account("acme", "ci").await;
    let named = Key {
        service_account: "projects/acme/serviceAccounts/ci".into(),
        display_name: "Grüße, 世界 🦀 \"quoted\" \\".into(),
        ..Default::default()
    };
    server.key("acme", named).await;
    server.service_account("acme", "cd").await;
    server.project("other").await;
    assert_eq!(server.head().await, 6);
}

/// The content that is hashed, built from the response only.
fn as_hashed(event: &AuditEvent) -> Event {
    let last = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    let time = event.event_time.unwrap();
    let actor = event.actor.clone().unwrap_or_default();
    Event {
        revision: event.revision,
        time: Timestamp::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos / 1000)),
        project: event.project.strip_prefix("projects/").unwrap().to_owned(),
        actor_account: last(&actor.service_account),
        actor_key: last(&actor.key),
        action: event.action.clone(),
        target: event.target.clone(),
        request_id: event.request_id.clone(),
        peer: event.peer.clone(),
        before: event.before.clone(),
        after: event.after.clone(),
        previous_hash: event.previous_hash.clone().try_into().unwrap(),
        hash: event.hash.clone().try_into().unwrap(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
