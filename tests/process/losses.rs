//! A database that loses confirmed changes, as after a restore of a backup while the server runs.

use testkit::{
    database::{Database, Kind},
    telemetry::get,
};

use crate::home::Home;

const NOTICED: &str = "the change log went backwards or was replaced";

#[tokio::test]
async fn lost_changes_are_logged_as_errors_on_postgres() {
    lost_changes_are_logged_as_errors(Kind::Postgres).await;
}

/// No other process has seen the lost changes.
#[tokio::test]
async fn lost_changes_are_logged_as_errors_on_sqlite() {
    lost_changes_are_logged_as_errors(Kind::Sqlite).await;
}

async fn lost_changes_are_logged_as_errors(kind: Kind) {
    let database = Database::empty(kind).await;
    let home = Home::on(&database);
    let serving = home.serve().await;
    let caller = serving.caller(&serving.root().await);
    caller.create_project().await;
    let kept = caller.whole_log().await;
    for _ in 0..3 {
        caller.create_key("lost").await;
    }
    // In one transaction, as a restore does it.
    let rewind = format!(
        "BEGIN; DELETE FROM keys WHERE revision > {kept}; DELETE FROM audit_events WHERE revision > {kept}; \
         UPDATE change_head SET revision = {kept}, \
         hash = (SELECT hash FROM audit_events WHERE revision = {kept}); COMMIT"
    );
    database.execute(&rewind).await;
    let (key, api_key) = caller.create_key("first of the new history").await;
    // The event of its implicit account was first.
    assert_eq!(key.revision, kept + 2, "the log continues from the database's state");
    let line = serving.process.wait_for_line(NOTICED).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
    // Each key has an implicit account.
    assert_eq!(line["change_log.seen"], kept + 6, "{line}");
    // The loss is noticed before the new key or by it.
    let head = line["change_log.head"].as_i64().unwrap();
    assert!(head == kept || head == kept + 2, "{line}");
    assert_eq!(caller.code(&api_key).await, proto::Code::Valid);
    caller.whole_log().await;
    let metrics = get(serving.metrics, "/metrics").await;
    assert!(metrics.contains("\nkeystile_change_log_rewinds_total 1\n"), "{metrics}");
    let ended = serving.stop().await;
    assert_eq!(ended.stderr.matches(NOTICED).count(), 1, "{ended:?}");
}
