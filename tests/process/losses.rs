//! A database that loses what it had confirmed, as a backup restored under a running server does.

use testkit::{
    database::{Database, Kind},
    telemetry::get,
};

use crate::home::Home;

const NOTICED: &str = "the change log went backwards or was replaced";

#[tokio::test]
async fn a_postgres_that_lost_answered_changes_is_told_loudly() {
    told_loudly(Kind::Postgres).await;
}

/// There is no other process that could know better.
#[tokio::test]
async fn a_file_that_lost_answered_changes_is_told_loudly() {
    told_loudly(Kind::Sqlite).await;
}

async fn told_loudly(kind: Kind) {
    let database = Database::empty(kind).await;
    let home = Home::on(&database);
    let serving = home.serve().await;
    let caller = serving.caller(&serving.root().await);
    caller.create_project().await;
    let kept = caller.whole_log().await;
    for _ in 0..3 {
        caller.create_key("lost").await;
    }
    // At once, as a restore does it.
    let rewind = format!(
        "BEGIN; DELETE FROM keys WHERE revision > {kept}; DELETE FROM audit_events WHERE revision > {kept}; \
         UPDATE change_head SET revision = {kept}, \
         hash = (SELECT hash FROM audit_events WHERE revision = {kept}); COMMIT"
    );
    database.execute(&rewind).await;
    let (key, api_key) = caller.create_key("first of the new history").await;
    // The account that came with it was first.
    assert_eq!(key.revision, kept + 2, "the database's truth counts");
    let line = serving.process.tells(NOTICED).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
    // Each key came with an account.
    assert_eq!(line["change_log.seen"], kept + 6, "{line}");
    // It is noticed before the new key or by it.
    let head = line["change_log.head"].as_i64().unwrap();
    assert!(head == kept || head == kept + 2, "{line}");
    assert_eq!(caller.code(&api_key).await, proto::Code::Valid);
    caller.whole_log().await;
    let metrics = get(serving.metrics, "/metrics").await;
    assert!(metrics.contains("\nkeystile_change_log_rewinds_total 1\n"), "{metrics}");
    let ended = serving.stop().await;
    assert_eq!(ended.stderr.matches(NOTICED).count(), 1, "{ended:?}");
}
