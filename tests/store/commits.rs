//! Commits that fail: the error says truly whether the change was made, and their connection is not used again.

use std::{pin::pin, task::Poll, time::Duration};

use keystile::{
    ports::{Commits, Feed, ReadKeys, ReadLog, StoreError, commits::CommitError, write::Write},
    store::{Options, SqlStore},
};
use sea_orm::{ConnectionTrait, Statement};

use domain::audit::{GENESIS, Head};
use testkit::database::{Database, Kind};
use tokio::time::timeout;

use crate::{
    proxy::{Fault, Proxy},
    sample::{acme, change, commit, commit_of, insert_keys, key, key_id, populate, refused, stored},
};

/// A generous limit for what must end, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Instantiates a test on both database servers.
macro_rules! on_servers {
    ($($test:ident),+) => {
        mod postgres {
            on_servers!(@on Postgres $($test),+);
        }
        mod mariadb {
            on_servers!(@on MySql $($test),+);
        }
    };
    (@on $kind:ident $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let (database, store) = super::Database::migrated(super::Kind::$kind).await;
                super::populate(&store).await;
                store.close().await;
                super::$test(&database).await;
            }
        )+
    };
}

on_servers!(
    a_connection_cut_before_commit_is_an_unknown_outcome,
    a_connection_cut_after_commit_is_an_unknown_outcome,
    a_refused_commit_is_known_not_to_have_happened,
    the_lock_of_a_vanished_client_is_released_soon,
    a_server_lost_at_commit_is_an_unknown_outcome,
    a_statement_without_an_answer_is_given_up
);

async fn a_connection_cut_before_commit_is_an_unknown_outcome(database: &Database) {
    let error = fails(database, Fault::CutBefore, false).await;
    assert!(matches!(error, CommitError::OutcomeUnknown(_)), "{error:?}");
}

async fn a_connection_cut_after_commit_is_an_unknown_outcome(database: &Database) {
    let error = fails(database, Fault::CutAfter, true).await;
    assert!(matches!(error, CommitError::OutcomeUnknown(_)), "{error:?}");
}

async fn a_refused_commit_is_known_not_to_have_happened(database: &Database) {
    let error = fails(database, Fault::Refused, false).await;
    assert!(matches!(error, CommitError::Store(_)), "{error:?}");
}

/// Makes changes before, at and after a COMMIT with this fault, checks whether that one was made, and returns its error.
async fn fails(database: &Database, fault: Fault, made: bool) -> CommitError {
    let proxy = Proxy::start(database).await;
    let store = SqlStore::open(proxy.options(database)).await.unwrap();
    insert_keys(&store, [key(1)]).await;
    let before = sessions(database).await;
    proxy.arm(fault);
    let error = refused(&store, vec![Write::insert(key(2))]).await;
    insert_keys(&store, [key(3)]).await;
    assert_connections_replaced(database, &proxy, &before).await;
    assert_eq!(store.key(&acme(), key_id(2)).await.unwrap().is_some(), made);
    assert_chain_is_whole(&store, if made { 4 } else { 3 }).await;
    store.close().await;
    error
}

async fn the_lock_of_a_vanished_client_is_released_soon(database: &Database) {
    let proxy = Proxy::start(database).await;
    let options = Options { vanished_after: Duration::from_secs(1), ..proxy.options(database) };
    let vanishing = SqlStore::open(options).await.unwrap();
    proxy.arm(Fault::Vanished);
    let vanished = tokio::spawn(async move { refused(&vanishing, vec![Write::insert(key(1))]).await });
    proxy.happened().await;
    let store = database.open().await;
    // It waits for the lock of the vanished client, at most ten seconds.
    insert_keys(&store, [key(2)]).await;
    assert!(store.key(&acme(), key_id(1)).await.unwrap().is_none());
    assert_chain_is_whole(&store, 2).await;
    vanished.abort();
    store.close().await;
}

/// The connection is not closed, so only a timeout detects the loss. The next change uses another connection.
async fn a_server_lost_at_commit_is_an_unknown_outcome(database: &Database) {
    let proxy = Proxy::start(database).await;
    let options = Options { vanished_after: Duration::from_secs(1), ..proxy.options(database) };
    let store = SqlStore::open(options).await.unwrap();
    insert_keys(&store, [key(1)]).await;
    proxy.arm(Fault::Lost);
    let lost = refused(&store, vec![Write::insert(key(2))]);
    let error = timeout(PATIENCE, lost).await.expect("the change waits for a lost host");
    assert!(matches!(error, CommitError::OutcomeUnknown(_)), "{error:?}");
    timeout(PATIENCE, insert_keys(&store, [key(3)])).await.expect("the failed change still holds its turn");
    assert!(store.key(&acme(), key_id(2)).await.unwrap().is_some(), "the change was made");
    assert_chain_is_whole(&store, 4).await;
    store.close().await;
}

/// The statement waits for a lock here; any other reason for no answer is the same.
async fn a_statement_without_an_answer_is_given_up(database: &Database) {
    let options = Options { vanished_after: Duration::from_secs(1), ..database.options() };
    let store = SqlStore::open(options).await.unwrap();
    let raw = database.raw().await;
    raw.execute_unprepared("BEGIN").await.unwrap();
    raw.execute_unprepared("SELECT revision FROM change_head FOR UPDATE").await.unwrap();
    let error = refused(&store, vec![Write::insert(key(1))]).await;
    assert!(
        matches!(&error, CommitError::Store(StoreError::Unavailable(why)) if why.contains("no answer")),
        "{error:?}"
    );
    raw.execute_unprepared("ROLLBACK").await.unwrap();
    raw.close().await.unwrap();
    timeout(PATIENCE, insert_keys(&store, [key(2)])).await.expect("the failed change still holds its turn");
    assert_chain_is_whole(&store, 2).await;
    store.close().await;
}

/// A constraint that is checked at COMMIT fails: the server answers, so nothing is unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constraint_that_fails_at_commit_is_known_not_to_have_happened() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    populate(&store).await;
    store.close().await;
    let proxy = Proxy::start(&database).await;
    let store = SqlStore::open(proxy.options(&database)).await.unwrap();
    insert_keys(&store, [key(1)]).await;
    let before = sessions(&database).await;
    at_commit(&database, "RAISE EXCEPTION 'no'").await;
    let error = refused(&store, vec![Write::insert(key(2))]).await;
    assert!(matches!(error, CommitError::Store(StoreError::Broken(_))), "{error:?}");
    database.execute("DROP TRIGGER at_commit ON keys").await;
    insert_keys(&store, [key(3)]).await;
    assert_connections_replaced(&database, &proxy, &before).await;
    assert!(store.key(&acme(), key_id(2)).await.unwrap().is_none());
    assert_chain_is_whole(&store, 3).await;
    store.close().await;
}

/// Another transaction conflicts, which the server notices only at COMMIT.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_conflicts_with_another_is_retried() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    populate(&store).await;
    database.execute("CREATE SEQUENCE attempts").await;
    let first = "IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'later' USING ERRCODE = '40001'; END IF";
    at_commit(&database, first).await;
    insert_keys(&store, [key(1)]).await;
    assert_chain_is_whole(&store, 2).await;
    store.close().await;
}

/// Makes PostgreSQL run this at the COMMIT of each change that inserts a key.
async fn at_commit(database: &Database, body: &str) {
    let create = format!(
        "CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN {body}; RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON keys DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION at_commit()"
    );
    database.execute(&create).await;
}

/// A change that is dropped at any await is made as a whole or not at all, and blocks no other.
pub(crate) async fn changes_may_be_dropped_at_any_await(_: &Database, store: &SqlStore) {
    populate(store).await;
    let mut waits = 1;
    while given_up(store.commit(commit(vec![Write::insert(key(waits))])), waits).await.is_none() {
        waits += 1;
        assert!(waits < 1000, "the change never ends");
    }
    assert!(waits > 3, "the change was never dropped half-way");
    insert_keys(store, [key(0)]).await;
    let mut there = 0;
    for n in 0..=waits {
        there += i64::from(store.key(&acme(), key_id(n)).await.unwrap().is_some());
    }
    assert_chain_is_whole(store, 1 + there).await;
}

/// Polls `work` this many times; `None` if it is still pending then.
async fn given_up<F: Future>(future: F, mut polls: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        polls -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Committed changes are lost, or replaced by others: the log continues from what the database has, and the loss is
/// visible in the heads of commits.
pub(crate) async fn a_database_that_lost_changes_is_noticed(database: &Database, store: &SqlStore) {
    populate(store).await;
    let insert = async |n| {
        let made =
            store.commit(commit_of(change(&format!("projects/acme/keys/{n}")), vec![Write::insert(key(n))]));
        made.await.unwrap()[0]
    };
    let lost = insert(1).await;
    let before = insert(2).await;
    insert(3).await;
    // As a restored backup: the log ends at revision 2.
    let keys = if database.kind == Kind::MySql { "`keys`" } else { "keys" };
    database.execute(&format!("DELETE FROM {keys} WHERE revision > 2")).await;
    database
        .execute(
            "UPDATE change_head SET revision = 2, hash = (SELECT hash FROM audit_events WHERE revision = 2)",
        )
        .await;
    database.execute("DELETE FROM audit_events WHERE revision > 2").await;
    let other = insert(4).await;
    assert_eq!(
        (lost.revision, before.revision, other.revision),
        (2, 3, 3),
        "the log continues from the database's state"
    );
    assert_ne!(other.hash, before.hash, "the revision is of another change");
    insert(5).await;
    assert_chain_is_whole(store, 4).await;
    let steps = store.changes_after(2, 10).await.unwrap();
    assert_eq!((steps[0].previous_hash, steps[0].head()), (lost.hash, other));
}

/// Checks that the log has this many changes in one chain, and that the next change continues it.
async fn assert_chain_is_whole(store: &SqlStore, length: i64) {
    let events = store.events_from(1, 10_000).await.unwrap();
    let mut head = Head { revision: 0, hash: GENESIS };
    for event in &events {
        assert_eq!(event.fault_after(&head), None);
        head = event.head();
    }
    assert_eq!(store.head().await.unwrap(), head);
    assert_eq!(head.revision, length);
    insert_keys(store, [key(9_999)]).await;
    assert_eq!(stored(store, key_id(9_999)).await.revision, length + 1);
}

/// The connections to this database, as its server numbers them.
pub(crate) async fn sessions(database: &Database) -> Vec<i64> {
    let others = match database.kind {
        Kind::Postgres => {
            "SELECT CAST(pid AS bigint) AS id FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT CAST(id AS signed) AS id FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let raw = database.raw().await;
    let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), others)).await.unwrap();
    raw.close().await.unwrap();
    rows.iter().map(|row| row.try_get("", "id").unwrap()).collect()
}

/// Checks that the store closed the connections in `before`, and has another one.
async fn assert_connections_replaced(database: &Database, proxy: &Proxy, before: &[i64]) {
    timeout(PATIENCE, proxy.one_is_open()).await.expect("a connection is leaked");
    let now = sessions(database).await;
    assert!(now.iter().any(|session| !before.contains(session)), "{before:?} are used again");
}
