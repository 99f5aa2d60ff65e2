//! The database loses the last changes while the server runs: the effect on sessions and on watches.

use proto::{Code, Key, WatchAuditEventsRequest, watch_audit_events_response::Content};
use testkit::{
    server::Server,
    status::{metadata, reason},
    telemetry::get,
};
use tokio::time::timeout;

use super::PATIENCE;

use crate::calls::{revocation, span};

async fn rewind(server: &Server, revision: i64) {
    // In one transaction, as a restore does it.
    let cut = format!(
        "BEGIN IMMEDIATE; DELETE FROM audit_events WHERE revision > {revision}; \
         UPDATE change_head SET revision = {revision}, \
         hash = (SELECT hash FROM audit_events WHERE revision = {revision}); COMMIT"
    );
    server.database.execute(&cut).await;
}

/// Replaces the last change with another one, and appends one more.
async fn replace_last(server: &Server) {
    server.database
        .execute(
            "BEGIN IMMEDIATE; \
             UPDATE audit_events SET hash = randomblob(32) WHERE revision = (SELECT revision FROM change_head); \
             CREATE TEMP TABLE one_more AS SELECT * FROM audit_events ORDER BY revision DESC LIMIT 1; \
             UPDATE one_more SET revision = revision + 1, previous_hash = hash, hash = randomblob(32); \
             INSERT INTO audit_events SELECT * FROM one_more; \
             UPDATE change_head SET revision = (SELECT revision FROM one_more), \
             hash = (SELECT hash FROM one_more); COMMIT",
        )
        .await;
}

async fn rewinds(server: &Server) -> String {
    let page = get(server.metrics, "/metrics").await;
    let found = page.lines().find_map(|line| line.strip_prefix("keystile_change_log_rewinds_total "));
    found.expect("the metric is on the page").to_owned()
}

#[tokio::test]
async fn lost_changes_are_counted_and_end_watches_that_sent_them() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let kept = server.caught_up().await;
    for _ in 0..5 {
        server.key("acme", Key::default()).await;
    }
    let head = server.caught_up().await;
    assert_eq!(server.code(&api_key).await, Code::Valid);
    let watch = |after_revision| {
        let heartbeat_interval = Some(span(60 * std::time::Duration::from_secs(1)));
        let parent = "projects/-".to_owned();
        server.watch_as(&server.root, WatchAuditEventsRequest { parent, after_revision, heartbeat_interval })
    };
    let (mut beyond, mut behind) = (watch(head).await.unwrap(), watch(kept).await.unwrap());
    for watch in [&mut beyond, &mut behind] {
        while !matches!(watch.message().await.unwrap().unwrap().content, Some(Content::Heartbeat(_))) {}
    }
    assert_eq!(rewinds(&server).await, "0");

    rewind(&server, kept).await;
    let revoked = server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(revoked.revision, kept + 1, "the revision was used before the rewind");
    assert_eq!(server.code(&api_key).await, Code::Revoked);
    // Both watches have sent events that are lost now.
    for watch in [&mut beyond, &mut behind] {
        let end = timeout(PATIENCE, watch.message()).await.expect("the watch does not end").unwrap_err();
        assert_eq!(reason(&end, tonic::Code::OutOfRange), "REVISION_AHEAD");
        assert_eq!(metadata(&end, "revision"), Some(head.to_string()));
        // The node notices the rewind before the revocation or with it.
        let noticed: i64 = metadata(&end, "head_revision").unwrap().parse().unwrap();
        assert!((kept..=kept + 1).contains(&noticed), "{noticed}");
    }
    assert_eq!(rewinds(&server).await, "1");
    let mut again = watch(kept).await.unwrap();
    let Some(Content::Event(event)) = again.message().await.unwrap().unwrap().content else {
        panic!("the watch sent an event");
    };
    assert_eq!((event.revision, event.action.as_str()), (kept + 1, "keys.revoke"));
    assert_eq!(rewinds(&server).await, "1", "once is enough");
}

/// When the rewind is noticed, the log is already longer than what was sent; continuing there would skip a change.
#[tokio::test]
async fn a_replaced_log_ends_a_watch_even_if_it_is_longer() {
    let server = Server::start().await;
    server.project("acme").await;
    let head = server.caught_up().await;
    let request = |after_revision| WatchAuditEventsRequest {
        parent: "projects/-".into(),
        after_revision,
        heartbeat_interval: Some(span(60 * std::time::Duration::from_secs(1))),
    };
    let mut watch = server.watch_as(&server.root, request(head)).await.unwrap();
    assert!(matches!(watch.message().await.unwrap().unwrap().content, Some(Content::Heartbeat(_))));
    replace_last(&server).await;
    let end = timeout(PATIENCE, watch.message()).await.expect("the watch does not end").unwrap_err();
    assert_eq!(reason(&end, tonic::Code::OutOfRange), "REVISION_AHEAD");
    assert!(end.message().starts_with("the database lost changes: the change log"), "{end:?}");
    assert_eq!(metadata(&end, "revision"), Some(head.to_string()));
    assert_eq!(metadata(&end, "head_revision"), Some((head + 1).to_string()));
    assert_eq!(rewinds(&server).await, "1");
}
