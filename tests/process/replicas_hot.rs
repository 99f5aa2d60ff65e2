//! Replicas on one database: a key that one replica refuses is refused by all.

use proto::{
    Code, DeleteProjectRequest, DisableKeyRequest, DisableServiceAccountRequest, Key, VerifyRequest,
};
use testkit::database::{Database, Kind};

use crate::{cluster::Cluster, home::Caller};

#[tokio::test]
async fn a_change_on_one_of_two_replicas_is_seen_by_both_on_postgres() {
    changes_are_seen_by_all(Kind::Postgres, 2).await;
}

#[tokio::test]
async fn a_change_on_one_of_three_replicas_is_seen_by_all_on_postgres() {
    changes_are_seen_by_all(Kind::Postgres, 3).await;
}

#[tokio::test]
async fn a_change_on_one_of_two_replicas_is_seen_by_both_on_mariadb() {
    changes_are_seen_by_all(Kind::MySql, 2).await;
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Revoke,
    Rotate,
    Disable,
    DisableOwner,
    Delete,
    Purge,
}

const CHANGES: [(Change, Code); 6] = [
    (Change::Revoke, Code::Revoked),
    (Change::Rotate, Code::NotFound),
    (Change::Disable, Code::Disabled),
    (Change::DisableOwner, Code::OwnerDisabled),
    (Change::Delete, Code::NotFound),
    (Change::Purge, Code::NotFound),
];

async fn changes_are_seen_by_all(kind: Kind, number: usize) {
    let database = Database::empty(kind).await;
    let cluster = Cluster::start(&database, number, &[]).await;
    let callers = &cluster.callers;
    // Each replica makes each change of a key that all have cached.
    for (at, caller) in callers.iter().enumerate() {
        for (change, code) in CHANGES {
            let (key, api_key) = caller.create_key(&format!("{change:?} at {at}")).await;
            let (other, of_other) = caller.create_key("another").await;
            for node in callers {
                // The replica that made the change must know it without waiting.
                assert_eq!(at_revision(node, &api_key, other.revision).await, Code::Valid);
                assert_eq!(node.code(&of_other).await, Code::Valid);
            }
            let revision = make(caller, change, &key).await;
            if at % 2 == 0 {
                for node in callers {
                    let now = at_revision(node, &api_key, revision).await;
                    assert_eq!(now, code, "{change:?} at {at}: the next call does not see it");
                }
            } else {
                for node in callers {
                    node.wait_for_code(&api_key, code).await;
                }
            }
            for node in callers {
                assert_eq!(node.code(&api_key).await, code, "{change:?} at {at}: the old state came back");
                assert_eq!(node.code(&of_other).await, Code::Valid);
            }
        }
    }
    let (_, last) = callers[0].create_key("the last").await;
    for node in callers {
        node.wait_for_code(&last, Code::Valid).await;
    }
    let delete = DeleteProjectRequest { name: "projects/acme".into(), force: true, ..Default::default() };
    callers[1].projects().delete_project(delete).await.unwrap();
    assert_eq!(callers[1].code(&last).await, Code::NotFound);
    for node in callers {
        node.wait_for_code(&last, Code::NotFound).await;
    }
    cluster.stop().await;
}

/// Makes the change, and returns its revision.
async fn make(caller: &Caller, change: Change, key: &Key) -> i64 {
    let name = key.name.clone();
    match change {
        Change::Revoke => caller.revoke_at(&name).await,
        Change::Rotate => {
            let request = proto::RotateKeyRequest { name, ..Default::default() };
            caller.keys().rotate_key(request).await.unwrap().into_inner().key.unwrap().revision
        }
        Change::Disable => {
            let request = DisableKeyRequest { name, ..Default::default() };
            caller.keys().disable_key(request).await.unwrap().into_inner().key.unwrap().revision
        }
        Change::DisableOwner => {
            let name = key.service_account.clone();
            let request = DisableServiceAccountRequest { name, ..Default::default() };
            let disabled = caller.accounts().disable_service_account(request).await.unwrap();
            disabled.into_inner().service_account.unwrap().revision
        }
        Change::Delete => {
            let request = proto::DeleteKeyRequest { name, ..Default::default() };
            caller.keys().delete_key(request).await.unwrap().into_inner().key.unwrap().revision
        }
        Change::Purge => {
            caller.purge(&name).await;
            // The replica cannot learn of the change in another way.
            caller.head().await
        }
    }
}

async fn at_revision(caller: &Caller, api_key: &str, min_revision: i64) -> Code {
    let request = VerifyRequest { api_key: api_key.into(), min_revision, ..Default::default() };
    let answer = caller.verifier().verify(request).await.unwrap().into_inner();
    assert!(answer.revision >= min_revision, "{} of {min_revision}", answer.revision);
    answer.code()
}
