//! WatchAuditEvents: every event after a revision, then every new one, with heartbeats that have the position.

use std::{ops::RangeInclusive, time::Duration};

use proto::{
    AuditEvent, Key, ListAuditEventsRequest, WatchAuditEventsRequest, WatchAuditEventsResponse,
    watch_audit_events_response::Content,
};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::{Status, Streaming};

use super::{PATIENCE, assert_unauthenticated};

use crate::calls::{
    HOUR, assert_invalid, creation, deletion, disabling, ends, inner, revocation, rotation, span, texts,
};

type Watch = Streaming<WatchAuditEventsResponse>;

const SECOND: Duration = Duration::from_secs(1);

fn after(parent: &str, revision: i64) -> WatchAuditEventsRequest {
    WatchAuditEventsRequest {
        parent: parent.into(),
        after_revision: revision,
        heartbeat_interval: Some(span(SECOND)),
    }
}

async fn next(watch: &mut Watch) -> Result<Content, Status> {
    Ok(watch.message().await?.expect("the watch ended").content.unwrap())
}

async fn next_event(watch: &mut Watch) -> AuditEvent {
    loop {
        if let Content::Event(event) = next(watch).await.unwrap() {
            return event;
        }
    }
}

/// Everything up to the first heartbeat, and its revision.
async fn up_to_heartbeat(watch: &mut Watch) -> (Vec<AuditEvent>, i64) {
    let mut events = Vec::new();
    loop {
        match next(watch).await.unwrap() {
            Content::Event(event) => events.push(event),
            Content::Heartbeat(heartbeat) => return (events, heartbeat.revision),
        }
    }
}

async fn watch_from(server: &Server, parent: &str, revision: i64) -> Watch {
    server.watch_as(&server.root, after(parent, revision)).await.unwrap()
}

/// As ListAuditEvents has them.
async fn listed(server: &Server, parent: &str, revisions: RangeInclusive<i64>) -> Vec<AuditEvent> {
    let request = ListAuditEventsRequest {
        parent: parent.into(),
        page_size: 1000,
        order_by: "revision".into(),
        ..Default::default()
    };
    let mut events = inner(server.audit().list_audit_events(request).await).unwrap().audit_events;
    events.retain(|event| revisions.contains(&event.revision));
    events
}

#[tokio::test]
async fn a_watch_begins_after_the_revision_without_a_gap() {
    let server = Server::start().await;
    server.project("acme").await;
    for _ in 0..250 {
        server.create(creation(Key::default())).await.unwrap();
    }
    let head = server.caught_up().await;
    for from in [0, 1, 100, 101, head - 1, head] {
        let mut watch = watch_from(&server, "projects/-", from).await;
        let (events, revision) = up_to_heartbeat(&mut watch).await;
        assert_eq!(events, listed(&server, "projects/-", from + 1..=head).await, "after {from}");
        assert_eq!(events.len() as i64, head - from);
        assert_eq!(revision, head);
    }
}

#[tokio::test]
async fn changes_during_a_watch_arrive_in_order() {
    let server = Server::start().await;
    server.project("acme").await;
    let head = server.caught_up().await;
    let mut watch = watch_from(&server, "projects/-", head).await;
    assert_eq!(up_to_heartbeat(&mut watch).await, (vec![], head));
    let (key, _) = server.key("acme", Key { tags: texts(&["a"]), ..Default::default() }).await;
    assert_eq!(next_event(&mut watch).await.action, "serviceAccounts.create");
    assert_eq!(next_event(&mut watch).await.action, "keys.create");
    server.rotate(rotation(&key.name)).await.unwrap();
    server.disable(disabling(&key.name)).await.unwrap();
    server.revoke(revocation(&key.name)).await.unwrap();
    server.delete(deletion(&key.name)).await.unwrap();
    for (number, action) in ["keys.rotate", "keys.disable", "keys.revoke", "keys.delete"].iter().enumerate() {
        let event = next_event(&mut watch).await;
        assert_eq!((event.action.as_str(), &event.target), (*action, &key.name));
        assert_eq!(event.revision, head + 3 + number as i64);
    }
    // Many concurrent changes, by several callers.
    let creating: Vec<_> = (0..4)
        .map(|_| {
            let mut keys = server.keys();
            tokio::spawn(async move {
                for _ in 0..50 {
                    keys.create_key(creation(Key::default())).await.unwrap();
                }
            })
        })
        .collect();
    let mut events = Vec::new();
    // Each key has an implicit account.
    for _ in 0..400 {
        events.push(next_event(&mut watch).await);
    }
    for task in creating {
        task.await.unwrap();
    }
    assert_eq!(events, listed(&server, "projects/-", head + 7..=head + 406).await);
    let revisions: Vec<_> = events.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (head + 7..=head + 406).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_watch_can_be_resumed_after_a_break() {
    let server = Server::start().await;
    server.project("acme").await;
    let mut seen = Vec::new();
    for number in 0..10 {
        let last = seen.last().map_or(0, |event: &AuditEvent| event.revision);
        for _ in 0..number {
            server.create(creation(Key::default())).await.unwrap();
        }
        let mut watch = watch_from(&server, "projects/-", last).await;
        // A break is possible after any event.
        for _ in 0..(server.revision().await - last).min(number + 1) {
            seen.push(next_event(&mut watch).await);
        }
    }
    let last = seen.last().unwrap().revision;
    assert_eq!(seen, listed(&server, "projects/-", 1..=last).await, "none missing, none twice");
}

#[tokio::test]
async fn a_watch_of_a_project_has_only_its_events() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let mut watch = watch_from(&server, "projects/acme", 0).await;
    for _ in 0..3 {
        server.key("other", Key::default()).await;
        server.key("acme", Key::default()).await;
        server.key("system", Key::default()).await;
    }
    server.key("other", Key::default()).await;
    let head = server.caught_up().await;
    let mut events = Vec::new();
    // The revision of its heartbeat is that of the whole log, as far as it was searched.
    loop {
        let (more, revision) = up_to_heartbeat(&mut watch).await;
        events.extend(more);
        if revision == head {
            break;
        }
    }
    assert!(events.iter().all(|event| event.project == "projects/acme"));
    assert_eq!(events, listed(&server, "projects/acme", 1..=head).await);
    assert_eq!(events.len(), 7, "the project, and three keys with their accounts");

    let mut nobody = watch_from(&server, "projects/nobody", 0).await;
    assert_eq!(up_to_heartbeat(&mut nobody).await, (vec![], head));
}

/// Heartbeats are periodic, each with the node's current position in the log.
#[tokio::test]
async fn heartbeats_have_the_current_position() {
    let server = Server::start().await;
    let head = server.caught_up().await;
    let mut watch = watch_from(&server, "projects/acme", head).await;
    assert_eq!(up_to_heartbeat(&mut watch).await, (vec![], head));
    // Of another project, so that it is not an event here.
    server.project("other").await;
    let head = server.caught_up().await;
    loop {
        let (events, revision) = up_to_heartbeat(&mut watch).await;
        assert_eq!(events, []);
        assert!(revision <= head);
        if revision == head {
            break;
        }
    }
}

/// The revision of a heartbeat is never ahead of the events that were sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_heartbeat_is_ahead_of_the_events() {
    let server = Server::start().await;
    server.project("acme").await;
    let mut keys = server.keys();
    let creating = tokio::spawn(async move {
        for _ in 0..300 {
            keys.create_key(creation(Key::default())).await.unwrap();
        }
    });
    let mut last = 0;
    for _ in 0..10 {
        let mut watch = watch_from(&server, "projects/-", last).await;
        let (events, revision) = up_to_heartbeat(&mut watch).await;
        last = events.last().map_or(last, |event| event.revision);
        assert!(revision <= last, "the heartbeat has {revision}, the last event {last}");
    }
    creating.await.unwrap();
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let server = Server::start().await;
    for interval in [Duration::ZERO, SECOND - Duration::from_nanos(1), 60 * SECOND + Duration::from_nanos(1)]
    {
        let request =
            WatchAuditEventsRequest { heartbeat_interval: Some(span(interval)), ..after("projects/-", 0) };
        let status = server.watch_as(&server.root, request).await.unwrap_err();
        assert_invalid(&status, &["heartbeat_interval"]);
    }
    let negative = prost_types::Duration { seconds: -1, nanos: 0 };
    let request = WatchAuditEventsRequest {
        parent: "acme".into(),
        after_revision: -1,
        heartbeat_interval: Some(negative),
    };
    let status = server.watch_as(&server.root, request).await.unwrap_err();
    assert_invalid(&status, &["parent", "after_revision", "heartbeat_interval"]);
    for interval in [None, Some(span(SECOND)), Some(span(60 * SECOND))] {
        let request = WatchAuditEventsRequest { heartbeat_interval: interval, ..after("projects/-", 0) };
        let mut watch = server.watch_as(&server.root, request).await.unwrap();
        assert_eq!(next_event(&mut watch).await.revision, 1);
    }
}

/// Long before the next heartbeat.
#[tokio::test]
async fn an_idle_watch_ends_with_the_credential_too() {
    let server = Server::start().await;
    let rarely = |after_revision| WatchAuditEventsRequest {
        parent: "projects/nobody".into(),
        after_revision,
        heartbeat_interval: Some(span(60 * SECOND)),
    };
    for by_expiry in [true, false] {
        let expiration = by_expiry.then(|| ends(HOUR)).flatten();
        let (key, api_key) = server.key("system", Key { expiration, ..Default::default() }).await;
        let head = server.caught_up().await;
        let mut watch = server.watch_as(&api_key, rarely(head)).await.unwrap();
        assert_eq!(up_to_heartbeat(&mut watch).await, (vec![], head));
        if by_expiry {
            server.clock.advance(HOUR);
        } else {
            server.revoke(revocation(&key.name)).await.unwrap();
        }
        let end = tokio::time::timeout(PATIENCE, next(&mut watch)).await.expect("the watch does not end");
        assert_unauthenticated(end);
    }
}

/// The first heartbeat comes at once, so a caller could take it to mean that the revision exists.
#[tokio::test]
async fn a_watch_from_beyond_the_head_is_refused() {
    let server = Server::start().await;
    let head = server.caught_up().await;
    for revision in [head + 1, i64::MAX] {
        let status = server.watch_as(&server.root, after("projects/-", revision)).await.unwrap_err();
        assert_eq!(reason(&status, tonic::Code::OutOfRange), "REVISION_AHEAD");
        assert_eq!(metadata(&status, "revision"), Some(revision.to_string()));
        assert_eq!(metadata(&status, "head_revision"), Some(head.to_string()));
    }
    server.watch_as(&server.root, after("projects/-", head)).await.unwrap();
}

#[tokio::test]
async fn a_watch_ends_with_the_credential() {
    let server = Server::start().await;
    let (key, api_key) = server.key("system", Key::default()).await;
    let head = server.caught_up().await;
    let mut watch = server.watch_as(&api_key, after("projects/-", head)).await.unwrap();
    assert_eq!(up_to_heartbeat(&mut watch).await, (vec![], head));
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_unauthenticated(next(&mut watch).await);
    assert!(watch.message().await.unwrap().is_none());
    assert_unauthenticated(server.watch_as(&api_key, after("projects/-", 0)).await.map(|_| ()));
}
