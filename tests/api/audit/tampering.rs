//! VerifyAuditChain on a log that was edited in the database.

use proto::VerifyAuditChainResponse;
use testkit::{database::Kind, server::Server};

use super::{as_hashed, check, hex, log, six_changes};

on_every_database!(
    an_edit_of_any_column_is_found,
    an_edit_with_a_recomputed_hash_is_found_at_the_next_event,
    a_removed_event_is_found,
    an_inserted_event_is_found,
    a_cut_tail_differs_from_a_saved_head
);

/// A log of six changes that can be restored after each edit.
struct Log {
    server: Server,
    honest: VerifyAuditChainResponse,
}

impl Log {
    /// On a node that does not poll the log during the test: it would notice the edits, and let no caller in.
    async fn of(server: Server) -> Self {
        let settings = [("KEYSTILE_FEED_POLL", "60s"), ("KEYSTILE_MAX_STALENESS", "1h")];
        let server = server.restart_with(&settings).await;
        six_changes(&server).await;
        let keep = "CREATE TABLE kept AS SELECT * FROM audit_events";
        server.database.execute(keep).await;
        let honest = check(&server).await;
        assert!(honest.intact);
        Self { server, honest }
    }

    /// Checks that these statements break the log at `revision`, and undoes them.
    async fn breaks_at(&self, statements: &[&str], revision: i64) {
        for statement in statements {
            self.server.database.execute(statement).await;
        }
        let report = check(&self.server).await;
        assert!(!report.intact, "{statements:?}");
        assert_eq!(report.first_broken_revision, revision, "{statements:?}");
        assert!(!report.problem.is_empty(), "{statements:?}");
        self.undo().await;
    }

    async fn undo(&self) {
        let database = &self.server.database;
        database.execute("DELETE FROM audit_events").await;
        let back = "INSERT INTO audit_events SELECT * FROM kept";
        database.execute(back).await;
        let VerifyAuditChainResponse { head_hash, .. } = &self.honest;
        let head = format!("SET revision = 6, hash = {}", self.bytes(head_hash));
        let head = format!("UPDATE change_head {head}");
        database.execute(&head).await;
        assert_eq!(check(&self.server).await, self.honest);
    }

    /// The bytes as an SQL literal.
    fn bytes(&self, bytes: &[u8]) -> String {
        match self.server.database.kind {
            Kind::Postgres => format!("'\\x{}'", hex(bytes)),
            Kind::Sqlite | Kind::MySql => format!("X'{}'", hex(bytes)),
        }
    }
}

async fn an_edit_of_any_column_is_found(server: Server) {
    let log = Log::of(server).await;
    let other_hash = log.bytes(&[7; 32]);
    for (column, value) in [
        ("time", "time + 1"),
        ("project_id", "'forged'"),
        ("actor_account", "'ops'"),
        ("actor_account", "''"),
        ("actor_key", "'0000000000000000000000'"),
        ("action", "'keys.delete'"),
        ("target", "'projects/other'"),
        ("request_id", "'42'"),
        ("peer", "'192.0.2.7'"),
        ("before_json", "'{}'"),
        ("after_json", "''"),
        ("previous_hash", other_hash.as_str()),
        ("hash", other_hash.as_str()),
        ("hash", "previous_hash"),
    ] {
        let edit = format!("UPDATE audit_events SET {column} = {value} WHERE revision = 3");
        log.breaks_at(&[&edit], 3).await;
    }
    for revision in [1, 6] {
        let edit = format!("UPDATE audit_events SET peer = 'x' WHERE revision = {revision}");
        log.breaks_at(&[&edit], revision).await;
    }
    let short = log.bytes(&[7]);
    for column in ["previous_hash", "hash"] {
        let edit = format!("UPDATE audit_events SET {column} = {short} WHERE revision = 3");
        log.breaks_at(&[&edit], 3).await;
    }
}

async fn an_edit_with_a_recomputed_hash_is_found_at_the_next_event(server: Server) {
    let whole = log(&server).await;
    assert_eq!(whole.len(), 1);
    let log = Log::of(server).await;
    for (revision, found_at) in [(1, 2), (3, 4), (6, 6)] {
        let at = usize::try_from(revision - 1).unwrap();
        let mut event = as_hashed(&super::log(&log.server).await[at]);
        event.target = "projects/forged".into();
        let hash = log.bytes(&event.hash_of_content());
        let edit = format!(
            "UPDATE audit_events SET target = 'projects/forged', hash = {hash} \
             WHERE revision = {revision}"
        );
        log.breaks_at(&[&edit], found_at).await;
    }
    let head = format!("UPDATE change_head SET hash = {}", log.bytes(&[7; 32]));
    log.breaks_at(&[&head], 6).await;
}

async fn a_removed_event_is_found(server: Server) {
    let log = Log::of(server).await;
    for (gone, first) in [
        ("revision = 1", 1),
        ("revision = 3", 3),
        ("revision = 6", 6),
        ("revision IN (3, 4)", 3),
        ("revision IN (2, 5)", 2),
        ("revision >= 4", 4),
        ("1 = 1", 1),
    ] {
        let delete = format!("DELETE FROM audit_events WHERE {gone}");
        log.breaks_at(&[&delete], first).await;
    }
    // Renumber the rest to hide the gap.
    let hidden = [
        "DELETE FROM audit_events WHERE revision = 3",
        "UPDATE audit_events SET revision = 3 WHERE revision = 4",
        "UPDATE audit_events SET revision = 4 WHERE revision = 5",
        "UPDATE audit_events SET revision = 5 WHERE revision = 6",
    ];
    log.breaks_at(&hidden, 3).await;
    let swapped = [
        "UPDATE audit_events SET revision = 99 WHERE revision = 3",
        "UPDATE audit_events SET revision = 3 WHERE revision = 4",
        "UPDATE audit_events SET revision = 4 WHERE revision = 99",
    ];
    log.breaks_at(&swapped, 3).await;
}

async fn an_inserted_event_is_found(server: Server) {
    let log = Log::of(server).await;
    let copy = |from: i64, to: i64| {
        format!(
            "INSERT INTO audit_events SELECT {to}, time, project_id, actor_account, actor_key, action, target, \
             request_id, peer, before_json, after_json, previous_hash, hash FROM audit_events WHERE revision = {from}"
        )
    };
    for place in [7, 8, 1000, i64::MAX, 0, -1] {
        log.breaks_at(&[&copy(3, place)], place).await;
    }
    let replaced = ["DELETE FROM audit_events WHERE revision = 3", &copy(2, 3)];
    log.breaks_at(&replaced, 3).await;
}

async fn a_cut_tail_differs_from_a_saved_head(server: Server) {
    let log = Log::of(server).await;
    let kept = super::log(&log.server).await;
    let database = &log.server.database;
    database.execute("DELETE FROM audit_events WHERE revision > 4").await;
    let to_four = format!("UPDATE change_head SET revision = 4, hash = {}", log.bytes(&kept[3].hash));
    database.execute(&to_four).await;
    let report = check(&log.server).await;
    // The rest is intact; only the head that was saved elsewhere shows that there was more.
    assert!(report.intact);
    assert!(report.head_revision < log.honest.head_revision);

    // Events that replace the tail have other hashes.
    log.server.service_account("acme", "x").await;
    log.server.service_account("acme", "y").await;
    let report = check(&log.server).await;
    assert!(report.intact);
    assert_eq!(report.head_revision, log.honest.head_revision);
    assert_ne!(report.head_hash, log.honest.head_hash);
    log.undo().await;

    let moved = "UPDATE change_head SET revision = 4";
    log.breaks_at(&[moved], 4).await;
    let moved = "UPDATE change_head SET revision = 9";
    log.breaks_at(&[moved], 7).await;
}
