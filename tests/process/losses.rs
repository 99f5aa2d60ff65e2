//! A database that loses what it had confirmed, as a backup restored under a running server does.

use crate::{
    home::Home,
    support::{
        database::{Database, Kind},
        telemetry::get,
    },
};

#[tokio::test]
async fn a_database_that_lost_answered_changes_is_told_loudly() {
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database);
    let serving = home.serve().await;
    let caller = serving.caller(&serving.root().await);
    caller.create_project().await;
    let kept = caller.whole_log().await;
    for _ in 0..3 {
        caller.create_key("lost").await;
    }
    for sql in [
        format!("DELETE FROM keys WHERE revision > {kept}"),
        format!(
            "UPDATE change_head SET (revision, hash) = (SELECT revision, hash FROM audit_events WHERE revision = {kept})"
        ),
        format!("DELETE FROM audit_events WHERE revision > {kept}"),
    ] {
        database.execute(&sql).await;
    }
    let (key, _) = caller.create_key("first of the new history").await;
    // The account that came with it was first.
    assert_eq!(key.revision, kept + 2);
    let line = serving.process.tells("the database lost changes that were answered").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
    assert_eq!(line["revision.answered"], kept + 6, "{line}");
    assert_eq!(line["revision.found"], kept, "{line}");
    let metrics = get(serving.metrics, "/metrics").await;
    assert!(metrics.contains("\nkeystile_database_losses_total 1\n"), "{metrics}");
    caller.whole_log().await;
    serving.stop().await;
}
