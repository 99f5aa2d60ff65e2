//! A log of more events than one query or one response holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use domain::{
    audit::{Actor, Change, Event, Head},
    digest::Peppers,
    time::Timestamp,
};
use keystile::{
    app::World,
    ports::Clock,
    store::SqlStore,
    verbs::{Caller, ChainRequest, Service},
};
use proto::ListAuditEventsRequest;
use testkit::server::{START, Server};

use super::{as_hashed, check, check_range, everything, hex, list, newest};

const LENGTH: i64 = 2345;

/// A server to whose log a test has appended valid events directly in the database.
async fn with_long_log() -> Server {
    let server = Server::start().await;
    let mut head = as_hashed(&newest(&server).await).head();
    let mut rows = Vec::new();
    while head.revision < LENGTH {
        let event = next(&head);
        head = event.head();
        rows.push(row(&event));
    }
    for rows in rows.chunks(500) {
        let insert = format!("INSERT INTO audit_events VALUES {}", rows.join(", "));
        server.database.execute(&insert).await;
    }
    let hash = hex(&head.hash);
    let move_head = format!("UPDATE change_head SET revision = {LENGTH}, hash = X'{hash}'");
    server.database.execute(&move_head).await;
    server
}

fn next(head: &Head) -> Event {
    head.next(&Change {
        time: Timestamp::from_micros(START.as_micros() + head.revision),
        project: "acme".parse().unwrap(),
        actor: Actor::Keystile,
        action: "keys.create",
        target: format!("projects/acme/keys/{}", head.revision),
        request_id: String::new(),
        peer: String::new(),
        before: None,
        after: None,
    })
}

fn row(event: &Event) -> String {
    format!(
        "({}, {}, '{}', '', '', '{}', '{}', '', '', '', '', X'{}', X'{}')",
        event.revision,
        event.time.as_micros(),
        event.project,
        event.action,
        event.target,
        hex(&event.previous_hash),
        hex(&event.hash)
    )
}

#[tokio::test]
async fn the_whole_log_is_checked() {
    let server = with_long_log().await;
    let report = check(&server).await;
    assert!(report.intact, "{}", report.problem);
    assert_eq!(report.checked_events, LENGTH);
    let part = check_range(&server, 900, 2100).await.unwrap();
    assert!(part.intact);
    assert_eq!(part.checked_events, 1201);

    let edit = "UPDATE audit_events SET target = 'x' WHERE revision = 2222";
    server.database.execute(edit).await;
    let report = check(&server).await;
    assert_eq!(report.first_broken_revision, 2222);
    assert_eq!(report.checked_events, 2222);

    let gap = "DELETE FROM audit_events WHERE revision BETWEEN 1001 AND 2001";
    server.database.execute(gap).await;
    assert_eq!(check(&server).await.first_broken_revision, 1001);
    let inside = check_range(&server, 900, 1500).await.unwrap();
    assert_eq!(inside.first_broken_revision, 1001);
}

#[tokio::test]
async fn a_page_has_at_most_a_thousand_events() {
    let server = with_long_log().await;
    for page_size in [1000, 1001, i32::MAX] {
        let request = ListAuditEventsRequest { page_size, ..everything() };
        let page = list(&server, request).await.unwrap();
        assert_eq!(page.audit_events.len(), 1000);
        assert_ne!(page.next_page_token, "");
    }
    let unasked = ListAuditEventsRequest { page_size: 0, ..everything() };
    let page = list(&server, unasked).await.unwrap();
    assert_eq!(page.audit_events.len(), 50);
}

#[tokio::test]
async fn pages_skip_and_repeat_nothing() {
    let server = with_long_log().await;
    for order_by in ["revision", "revision desc"] {
        let mut seen = Vec::new();
        let mut page_token = String::new();
        for size in [1000, 500, 1000] {
            let request = ListAuditEventsRequest {
                page_size: size,
                page_token,
                order_by: order_by.into(),
                ..everything()
            };
            let page = list(&server, request).await.unwrap();
            seen.extend(page.audit_events.iter().map(|event| event.revision));
            page_token = page.next_page_token;
        }
        assert_eq!(page_token, "");
        if order_by == "revision desc" {
            seen.reverse();
        }
        assert!(seen.into_iter().eq(1..=LENGTH), "{order_by}");
    }
}

/// A clock that is a second later each time that it is read.
#[derive(Debug, Default)]
struct Slow(AtomicU64);

#[async_trait::async_trait]
impl Clock for Slow {
    fn now(&self) -> Timestamp {
        START
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Relaxed))
    }

    async fn sleep(&self, _span: Duration) {}
}

#[tokio::test]
async fn a_check_that_runs_out_of_time_reports_how_far_it_got() {
    let server = with_long_log().await;
    let report = check(&server).await;
    assert!(report.complete);
    assert_eq!(report.checked_through_revision, LENGTH);

    let (database, _directory) = server.stop().await;
    let store = Arc::new(SqlStore::open(database.options()).await.unwrap());
    let peppers = Arc::new(Peppers::new([(1, &[7; 32][..])]).unwrap());
    let service =
        Service::new(store, Arc::new(Slow::default()), World::system().random, peppers, Arc::new(()));
    let caller = Caller::keystile();
    let check =
        |start| service.verify_audit_chain(&caller, ChainRequest { start, end: 0, patience: Duration::ZERO });
    let (mut start, mut portions) = (0, Vec::new());
    loop {
        let report = check(start).await.unwrap();
        assert!(report.fault.is_none());
        portions.push(report.checked);
        if report.complete {
            break;
        }
        start = report.through + 1;
    }
    let (last, whole) = portions.split_last().unwrap();
    assert_eq!((whole.len(), *last), (23, 45));
    assert!(whole.iter().all(|portion| *portion == 100));
}
