//! Changes at the same time: one order, no gaps, nothing lost.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::audit::{GENESIS, Head};
use keystile::{
    ports::{
        Commits, ReadKeys, ReadLog, Recording, StoreError, commits::CommitError, recorder::LastUse,
        write::Write,
    },
    store::{Options, SqlStore},
};
use sea_orm::ConnectionTrait;
use testkit::database::{Database, Kind};
use tokio::task::JoinSet;

use crate::sample::{
    acme, at, change, commit, commit_of, insert_keys, key, key_id, populate, refused, sealed, stored,
};

/// Half of the changes are made by a second store.
pub(crate) async fn concurrent_changes_make_one_gapless_chain(database: &Database, store: &SqlStore) {
    const CHANGES: u64 = 32;

    populate(store).await;
    let pools = [Arc::new(database.open().await), Arc::new(database.open().await)];
    let mut changes = JoinSet::new();
    for n in 0..CHANGES {
        let pool = pools[usize::try_from(n % 2).unwrap()].clone();
        changes.spawn(async move {
            let change = change(&format!("projects/acme/keys/{n}"));
            let made = pool.commit(commit_of(change, vec![Write::insert(key(n))])).await;
            (made.unwrap()[0].revision, n)
        });
    }
    let revisions: BTreeSet<(i64, u64)> = changes.join_all().await.into_iter().collect();
    let expected: Vec<i64> = (2..34).collect();
    assert_eq!(revisions.iter().map(|it| it.0).collect::<Vec<_>>(), expected);

    let events = store.events_from(1, 1000).await.unwrap();
    let mut head = Head { revision: 0, hash: GENESIS };
    for event in &events {
        assert_eq!(event.fault_after(&head), None);
        head = event.head();
    }
    assert_eq!(store.head().await.unwrap(), head);
    for (revision, n) in revisions {
        assert_eq!(stored(store, key_id(n)).await.revision, revision);
        let event = &events[usize::try_from(revision).unwrap() - 1];
        assert_eq!(event.target, format!("projects/acme/keys/{n}"));
    }
    for pool in pools {
        pool.close().await;
    }
}

pub(crate) async fn of_concurrent_changes_to_one_key_one_wins(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let read = stored(store, key_id(1)).await;
    let pool = Arc::new(database.open().await);
    let mut changes = JoinSet::new();
    for seed in 0..8 {
        let (pool, read) = (pool.clone(), read.clone());
        changes.spawn(async move {
            let rotated = read.rotate(sealed(seed, 1), std::time::Duration::ZERO, at(50));
            let rotated = rotated.unwrap();
            pool.commit(commit(vec![Write::update(rotated)])).await
        });
    }
    let outcomes = changes.join_all().await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1);
    let conflict = |it: &&Result<_, _>| matches!(it, Err(CommitError::Conflict));
    assert_eq!(outcomes.iter().filter(conflict).count(), 7);
    assert_eq!(stored(store, key_id(1)).await.newest_secret(), 2);
    pool.close().await;
}

/// Uses and new digests are written while the same keys change.
pub(crate) async fn recorded_uses_and_changes_do_not_block_each_other(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..20).map(key)).await;
    let pool = Arc::new(database.open().await);
    let mut tasks = JoinSet::new();
    for round in 0..8 {
        let traces = pool.clone();
        tasks.spawn(async move {
            let uses: Vec<LastUse> = (0..20)
                .map(|n| LastUse { key: key_id((n * 7 + round) % 20), secret_version: 1, time: at(60) })
                .collect();
            traces.record_uses(&uses).await.unwrap();
        });
        let changes = pool.clone();
        tasks.spawn(async move {
            let writes = (0..20).filter(|n| n % 8 == round);
            for n in writes {
                let key = changes.key(&acme(), key_id(n)).await.unwrap().unwrap();
                let change = commit(vec![Write::update(key.disable(at(61)).unwrap())]);
                changes.commit(change).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    for n in 0..20 {
        let key = stored(store, key_id(n)).await;
        assert_eq!(key.last_used_time, Some(at(60)));
        assert_eq!(key.secrets[0].last_used_time, Some(at(60)));
        assert_eq!(key.disable_time, Some(at(61)));
    }
    let events = store.events_from(1, 100).await.unwrap();
    assert_eq!(events.len(), 22);
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_postgres_does_nothing_before_it_has_the_head_to_itself() {
    a_change_does_nothing_before_it_has_the_head_to_itself(Kind::Postgres, "FOR SHARE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_mariadb_does_nothing_before_it_has_the_head_to_itself() {
    a_change_does_nothing_before_it_has_the_head_to_itself(Kind::MySql, "LOCK IN SHARE MODE").await;
}

/// With a lock that changes can share, two of them would wait for each other when they move the head.
async fn a_change_does_nothing_before_it_has_the_head_to_itself(kind: Kind, share: &str) {
    let (database, store) = Database::migrated(kind).await;
    populate(&store).await;
    store.close().await;
    let options = Options { vanished_after: Duration::from_secs(1), ..database.options() };
    let mut store = SqlStore::open(options).await.unwrap();
    let statements = Arc::new(Mutex::new(Vec::new()));
    let observed = statements.clone();
    store.observe(move |statement| observed.lock().unwrap().push(statement.sql.clone()));
    let raw = database.raw().await;
    raw.execute_unprepared("BEGIN").await.unwrap();
    raw.execute_unprepared(&format!("SELECT revision FROM change_head {share}")).await.unwrap();
    let error = refused(&store, vec![Write::insert(key(1))]).await;
    assert!(matches!(error, CommitError::Store(StoreError::Unavailable(_))), "{error:?}");
    let statements = statements.lock().unwrap().clone();
    assert!(matches!(&statements[..], [lock] if lock.contains("change_head")), "{statements:?}");
    raw.execute_unprepared("ROLLBACK").await.unwrap();
    raw.close().await.unwrap();
    store.close().await;
}
