//! Queries whose callers give up, or that take too long: none keeps running in the database, and no connection is lost.

use std::time::Duration;

use domain::access::Projects;
use keystile::{
    ports::{Feed, LoadKeys, ReadLog, ReadProjects, Readiness, StoreError},
    store::{Options, SqlStore},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use testkit::database::{Database, Kind};
use tokio::time::{sleep, timeout};

use crate::sample::{first_page, populate};

/// A generous limit for what happens in the background, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes every query of projects run for ever.
async fn never_ending_projects(database: &Database) {
    never_ending(database, "projects").await;
}

/// Makes every query of this table run for ever.
async fn never_ending(database: &Database, table: &str) {
    let rows = match database.kind {
        Kind::Sqlite => {
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) < 0"
        }
        Kind::Postgres => "pg_sleep(3600) IS NULL",
        Kind::MySql => "SLEEP(3600) > 1",
    };
    database.execute(&format!("ALTER TABLE {table} RENAME TO real_{table}")).await;
    database.execute(&format!("CREATE VIEW {table} AS SELECT * FROM real_{table} WHERE {rows}")).await;
}

/// Whether a query of this database runs. On SQLite: whether a reader keeps the write-ahead log from being truncated.
async fn is_busy(database: &Database, raw: &DatabaseConnection) -> bool {
    if database.kind == Kind::Sqlite {
        let write =
            "PRAGMA busy_timeout = 0; CREATE TABLE IF NOT EXISTS marks (n); INSERT INTO marks VALUES (1)";
        raw.execute_unprepared(write).await.unwrap();
    }
    let sql = match database.kind {
        Kind::Sqlite => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
        Kind::Postgres => "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND state = 'active' AND pid <> pg_backend_pid()"
            .to_owned(),
        Kind::MySql => "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() \
                        AND command IN ('Query', 'Execute') AND id <> CONNECTION_ID()"
            .to_owned(),
    };
    let row = raw.query_one_raw(Statement::from_string(raw.get_database_backend(), sql)).await.unwrap();
    let row = row.unwrap();
    row.try_get_by_index::<i64>(0).or_else(|_| row.try_get_by_index::<i32>(0).map(i64::from)).unwrap() != 0
}

pub(crate) async fn becomes(database: &Database, busy: bool) {
    let raw = database.raw().await;
    let waiting = timeout(PATIENCE, async {
        while is_busy(database, &raw).await != busy {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waiting.await.is_ok(), "the database stays {}", if busy { "idle" } else { "busy" });
    raw.close().await.unwrap();
}

pub(crate) async fn a_dropped_read_ends_in_the_database(database: &Database, store: &SqlStore) {
    populate(store).await;
    never_ending_projects(database).await;
    // More reads than connections.
    for _ in 0..5 {
        let reading = async { store.projects(&Projects::All, first_page((), 9)).await.map(drop) };
        let given_up = async { becomes(database, true).await };
        tokio::select! {
            read = reading => panic!("the read ended: {read:?}"),
            () = given_up => {}
        }
        becomes(database, false).await;
    }
    timeout(PATIENCE, store.events_from(1, 1)).await.unwrap().unwrap();
}

pub(crate) async fn a_read_that_takes_too_long_is_cancelled(database: &Database, store: &SqlStore) {
    populate(store).await;
    never_ending_projects(database).await;
    let options = Options { slowest_read: Duration::from_millis(300), ..database.options() };
    let hasty = SqlStore::open(options).await.unwrap();
    for _ in 0..5 {
        let read = timeout(PATIENCE, hasty.projects(&Projects::All, first_page((), 9))).await.unwrap();
        assert!(matches!(read, Err(StoreError::TooSlow(_))), "{read:?}");
    }
    becomes(database, false).await;
    timeout(PATIENCE, hasty.events_from(1, 1)).await.unwrap().unwrap();
    hasty.close().await;
}

/// Verifications and admins use different connections.
pub(crate) async fn reads_of_admins_leave_connections_to_verifications(
    database: &Database,
    store: &SqlStore,
) {
    populate(store).await;
    never_ending_projects(database).await;
    let reads = async {
        tokio::join!(
            store.projects(&Projects::All, first_page((), 9)),
            store.projects(&Projects::All, first_page((), 9))
        )
    };
    let verified = async {
        becomes(database, true).await;
        store.ping().await.unwrap();
        store.load(&[crate::sample::key_id(1)]).await.unwrap();
        store.changes_after(0, 9).await.unwrap();
    };
    tokio::select! {
        read = reads => panic!("the read ended: {read:?}"),
        verified = timeout(PATIENCE, verified) => verified.expect("verifications wait behind reads of admins"),
    }
}

/// The same for the head of the log, which both read.
pub(crate) async fn reads_of_the_head_by_admins_leave_connections_to_verifications(
    database: &Database,
    store: &SqlStore,
) {
    populate(store).await;
    never_ending(database, "change_head").await;
    let reads = async { tokio::join!(store.head(), store.head(), store.head(), store.head()) };
    let verified = async {
        becomes(database, true).await;
        store.ping().await.unwrap();
        store.lately_used(1).await.unwrap();
        store.changes_after(0, 9).await.unwrap();
    };
    tokio::select! {
        read = reads => panic!("a read ended: {read:?}"),
        verified = timeout(PATIENCE, verified) => verified.expect("verifications wait behind reads of admins"),
    }
}
