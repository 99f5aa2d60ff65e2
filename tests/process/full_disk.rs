//! A disk that fails under the embedded database for a while: answered changes are kept.

use std::collections::BTreeSet;

use proto::{Code, key::State};
use tonic::Status;

use crate::{
    disk::Disk,
    home::{Caller, new_key},
};

#[tokio::test]
async fn answered_changes_survive_a_full_disk() {
    let log = assert_changes_survive(&Disk::small(), "a failed change is reported as not made").await;
    assert!(!log.contains("is not known"), "{log}");
}

#[tokio::test]
async fn answered_changes_survive_failing_writes() {
    assert_changes_survive(&Disk::faulty('w'), "writes").await;
}

#[tokio::test]
async fn answered_changes_survive_failing_syncs() {
    // After a crash, what was written but not synced may or may not be there.
    let log = assert_changes_survive(&Disk::faulty('s'), "syncs").await;
    assert!(log.contains("the outcome of a COMMIT is not known"), "{log}");
}

#[tokio::test]
async fn answered_changes_survive_a_commit_that_cannot_be_written() {
    assert_changes_survive(&Disk::faulty('c'), "commits").await;
}

/// A key whose creation was answered.
struct Answered {
    name: String,
    api_key: String,
    revision: i64,
}

/// The disk fails twice, once before a kill and once before a stop. Returns what both processes logged.
async fn assert_changes_survive(disk: &Disk, what: &str) -> String {
    let home = disk.home();
    let mut serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let mut keys = Vec::new();
    let mut revoked = Vec::new();
    let mut log = String::new();
    for round in 1..=2 {
        let caller = serving.caller(&root);
        let victim = create(&caller).await.unwrap();
        fails_and_heals(disk, &caller, &victim, &mut keys).await;
        caller.revoke(&victim.name).await;
        for _ in 0..20 {
            assert_eq!(caller.key(&victim.name).await.state(), State::Revoked, "{what}, round {round}");
        }
        revoked.push(victim);
        assert_stored(&caller, &keys, &revoked).await;
        let ended = match round {
            1 => serving.process.kill().await,
            _ => serving.stop().await,
        };
        assert!(!ended.stderr.contains("lost changes"), "{ended:#?}");
        log.push_str(&ended.stderr);
        serving = home.serve().await;
        assert_stored(&serving.caller(&root), &keys, &revoked).await;
    }
    serving.stop().await;
    log
}

/// While the disk fails, changes fail and reads succeed; afterwards changes succeed again.
async fn fails_and_heals(disk: &Disk, caller: &Caller, known: &Answered, keys: &mut Vec<Answered>) {
    disk.fail();
    let mut failed = 0;
    while failed < 5 {
        match create(caller).await {
            // Some changes fit into space that the database has already allocated.
            Ok(key) => keys.push(key),
            Err(status) => {
                // After a failed COMMIT the outcome may be unknown.
                assert!(
                    matches!(status.code(), tonic::Code::Unavailable | tonic::Code::Unknown),
                    "{status:?}"
                );
                failed += 1;
            }
        }
        assert!(keys.len() < 2000, "the disk does not fail");
        assert_eq!(caller.key(&known.name).await.state(), State::Active);
    }
    disk.heal();
    for _ in 0..10 {
        keys.push(create(caller).await.unwrap());
    }
}

async fn create(caller: &Caller) -> Result<Answered, Status> {
    let created = caller.keys().create_key(new_key("some")).await?.into_inner();
    let proto::Key { name, revision, .. } = created.key.unwrap();
    Ok(Answered { name, api_key: created.api_key, revision })
}

async fn assert_stored(caller: &Caller, keys: &[Answered], revoked: &[Answered]) {
    let length = caller.whole_log().await;
    for key in keys {
        assert_eq!(caller.key(&key.name).await.revision, key.revision);
        assert_eq!(caller.code(&key.api_key).await, Code::Valid);
    }
    for key in revoked {
        assert_eq!(caller.key(&key.name).await.state(), State::Revoked);
        assert_eq!(caller.code(&key.api_key).await, Code::Revoked);
    }
    let revisions: BTreeSet<_> = keys.iter().chain(revoked).map(|key| key.revision).collect();
    assert_eq!(revisions.len(), keys.len() + revoked.len(), "a revision was given out twice");
    assert!(revisions.last().is_some_and(|last| *last <= length));
}
