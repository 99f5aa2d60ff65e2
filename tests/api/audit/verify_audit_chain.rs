//! VerifyAuditChain: which part it checks.

use proto::{Key, VerifyAuditChainRequest, VerifyAuditChainResponse};
use testkit::{
    server::Server,
    status::{assert_invalid, metadata, reason},
};
use tonic::Code;

use crate::calls::texts;

use super::{check, check_range, log, six_changes};

#[tokio::test]
async fn a_range_can_be_checked() {
    let server = Server::start().await;
    six_changes(&server).await;
    for (start, end, checked) in [
        (0, 0, 6),
        (1, 6, 6),
        (0, 3, 3),
        (2, 5, 4),
        (4, 4, 1),
        (6, 0, 1),
        (5, 99, 2),
        (i64::MIN + i64::MAX + 1, i64::MAX, 6),
    ] {
        let report = check_range(&server, start, end).await.unwrap();
        assert!(report.intact, "{start} to {end}: {}", report.problem);
        assert_eq!(report.checked_events, checked, "{start} to {end}");
        assert_eq!(report.head_revision, 6, "the head of the log, not of the range");
    }
}

#[tokio::test]
async fn a_range_right_after_the_head_is_empty_and_intact() {
    let server = Server::start().await;
    six_changes(&server).await;
    for (start, end) in [(7, 0), (7, 7), (7, 99)] {
        let report = check_range(&server, start, end).await.unwrap();
        let expected = VerifyAuditChainResponse {
            intact: true,
            checked_events: 0,
            head_revision: 6,
            head_hash: log(&server).await[5].hash.clone(),
            complete: true,
            ..Default::default()
        };
        assert_eq!(report, expected, "{start} to {end}");
    }
}

/// A caller that has seen an event there must get an error, because the log does not have it.
#[tokio::test]
async fn a_range_beyond_the_head_is_refused() {
    let server = Server::start().await;
    six_changes(&server).await;
    for (start, end) in [(8, 0), (99, 0), (8, 99), (i64::MAX, i64::MAX)] {
        let status = check_range(&server, start, end).await.unwrap_err();
        assert_eq!(reason(&status, Code::OutOfRange), "REVISION_AHEAD");
        assert_eq!(metadata(&status, "revision"), Some(start.to_string()));
        assert_eq!(metadata(&status, "head_revision"), Some("6".into()));
    }
}

#[tokio::test]
async fn only_ranges_with_the_edited_event_are_broken() {
    let server = Server::start().await;
    six_changes(&server).await;
    let edit = "UPDATE audit_events SET target = 'projects/none' WHERE revision = 3";
    server.database.execute(edit).await;
    for (start, end, intact) in [(0, 2, true), (4, 0, true), (3, 3, false), (1, 3, false), (2, 0, false)] {
        let report = check_range(&server, start, end).await.unwrap();
        assert_eq!(report.intact, intact, "{start} to {end}");
        assert_eq!(report.first_broken_revision, if intact { 0 } else { 3 });
        assert_eq!(report.problem.is_empty(), intact);
    }
    let report = check(&server).await;
    assert_eq!(report.checked_events, 3, "including the broken event");
}

#[tokio::test]
async fn wrong_ranges_are_invalid() {
    let server = Server::start().await;
    for (start_revision, end_revision, wrong) in [
        (-1, -1, &["start_revision", "end_revision"][..]),
        (-1, 0, &["start_revision"]),
        (0, i64::MIN, &["end_revision"]),
        (3, 2, &["end_revision"]),
    ] {
        let request = VerifyAuditChainRequest { start_revision, end_revision };
        let refused = server.audit().verify_audit_chain(request).await;
        assert_invalid(&refused.unwrap_err(), wrong);
    }
}

/// A caller that may not verify the chain learns that first.
#[tokio::test]
async fn without_all_projects_no_range_is_valid() {
    let server = Server::start().await;
    let auditor = Key {
        roles: texts(&["auditor"]),
        customers: texts(&["system"]),
        environment: "production".into(),
        ..Default::default()
    };
    let (_, api_key) = server.key("system", auditor).await;
    for (start_revision, end_revision) in [(0, 0), (3, 2), (-1, -1)] {
        let request = VerifyAuditChainRequest { start_revision, end_revision };
        let refused = server.audit_as(&api_key).verify_audit_chain(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{start_revision} to {end_revision}");
    }
}

#[tokio::test]
async fn the_chain_holds_while_changes_come() {
    let server = Server::start().await;
    server.project("acme").await;
    let changes = async {
        for n in 0..30 {
            server.service_account("acme", &format!("a{n}")).await;
        }
    };
    let checks = async {
        for _ in 0..30 {
            let report = check(&server).await;
            assert!(report.intact, "{}: {}", report.first_broken_revision, report.problem);
        }
    };
    tokio::join!(changes, checks);
    assert_eq!(check(&server).await.checked_events, 32);
}
