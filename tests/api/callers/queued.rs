//! Changes that wait for their turn while their caller is revoked.

use proto::ListAuditEventsRequest;
use sea_orm::ConnectionTrait;
use testkit::{database::Kind, server::Server, status::reason};
use tokio::task::JoinSet;
use tonic::Code;

use crate::{
    calls::revocation,
    overload::{PATIENT, WAIT_FOR_THE_HEAD, create, wait_for},
};

use super::grants::holding;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_caller_changes_nothing_after_the_answer() {
    let server = Server::start_on(Kind::Postgres).await;
    server.project("acme").await;
    let (caller, api_key) = server.key("system", holding(&["project-admin"], &[], &["acme"])).await;
    let server = server.restart_with(&[PATIENT]).await;
    let (holder, raw) = (server.database.raw().await, server.database.raw().await);
    holder.execute_unprepared("BEGIN; SELECT * FROM change_head FOR UPDATE").await.unwrap();
    let mut keys = server.keys();
    let revoking = tokio::spawn(async move { keys.revoke_key(revocation(&caller.name)).await.unwrap() });
    wait_for(&raw, WAIT_FOR_THE_HEAD, |waiting| waiting >= 1).await;
    let mut creating = JoinSet::new();
    for _ in 0..60 {
        let mut keys = server.keys_as(&api_key);
        creating.spawn(async move { keys.create_key(create()).await });
    }
    wait_for(&raw, WAIT_FOR_THE_HEAD, |waiting| waiting >= 2).await;
    holder.execute_unprepared("COMMIT").await.unwrap();
    revoking.await.unwrap();
    let newest = ListAuditEventsRequest { parent: "projects/-".into(), page_size: 1, ..Default::default() };
    let newest = server.audit().list_audit_events(newest).await.unwrap().into_inner();
    // The turn of one, which makes an account and a key, may have come right before the revocation was known.
    let last = newest.audit_events[0].revision + 2;
    let mut refused = 0;
    while let Some(created) = creating.join_next().await {
        match created.unwrap() {
            Ok(created) => {
                let revision = created.into_inner().key.unwrap().revision;
                assert!(revision <= last, "{revision} is after {last}");
            }
            Err(status) => {
                assert_eq!(reason(&status, Code::Unauthenticated), "UNAUTHENTICATED");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "all were made before");
}
