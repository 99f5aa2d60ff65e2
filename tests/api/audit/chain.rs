//! The hash chain, recomputed from the responses of ListAuditEvents.

use domain::audit::{GENESIS, Head};
use proto::AuditEvent;
use sha2::{Digest, Sha256};
use testkit::server::Server;

use super::{as_hashed, check, log, six_changes};

on_every_database!(
    hashes_can_be_recomputed_from_the_documentation,
    the_documented_rules_find_no_fault,
    verify_audit_chain_finds_no_fault
);

async fn hashes_can_be_recomputed_from_the_documentation(server: Server) {
    six_changes(&server).await;
    let mut previous = vec![0; 32];
    for (event, revision) in log(&server).await.iter().zip(1..) {
        assert_eq!(event.revision, revision);
        assert_eq!(event.previous_hash, previous, "{event:?}");
        assert_eq!(event.hash, hash(event), "{event:?}");
        previous.clone_from(&event.hash);
    }
    assert_eq!(check(&server).await.head_hash, previous);
}

/// Written from the documentation only, without code of the server.
fn hash(event: &AuditEvent) -> Vec<u8> {
    let time = event.event_time.unwrap();
    let micros = time.seconds * 1_000_000 + i64::from(time.nanos) / 1000;
    let id = |name: &str| name.rsplit_once('/').map_or(String::new(), |(_, id)| id.to_owned());
    let actor = event.actor.clone().unwrap_or_default();
    let mut content = b"keystile.v1.audit".to_vec();
    content.extend(&event.previous_hash);
    content.extend(event.revision.to_be_bytes());
    content.extend(micros.to_be_bytes());
    for text in [
        id(&event.project),
        id(&actor.service_account),
        id(&actor.key),
        event.action.clone(),
        event.target.clone(),
        event.request_id.clone(),
        event.peer.clone(),
        event.before.clone(),
        event.after.clone(),
    ] {
        content.extend(u64::try_from(text.len()).unwrap().to_be_bytes());
        content.extend(text.bytes());
    }
    Sha256::digest(content).to_vec()
}

async fn the_documented_rules_find_no_fault(server: Server) {
    six_changes(&server).await;
    let mut previous = Head { revision: 0, hash: GENESIS };
    for event in log(&server).await {
        let event = as_hashed(&event);
        assert_eq!(event.fault_after(&previous), None, "{event:?}");
        previous = event.head();
    }
    assert_eq!(previous.revision, 6);
}

async fn verify_audit_chain_finds_no_fault(server: Server) {
    six_changes(&server).await;
    let report = check(&server).await;
    assert!(report.intact, "{}", report.problem);
    assert_eq!((report.checked_events, report.head_revision), (6, 6));
    assert_eq!((report.first_broken_revision, report.problem.as_str()), (0, ""));
    assert_eq!(report.head_hash, log(&server).await[5].hash);
}
