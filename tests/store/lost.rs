//! A database host that is lost without closing connections: no read waits for it for ever, and connections are replaced.

use std::time::Duration;

use keystile::{
    ports::{LoadKeys, ReadProjects, StoreError},
    store::{Options, SqlStore},
};
use sea_orm::ConnectionTrait;
use testkit::database::{Database, Kind};
use tokio::time::{sleep, timeout};

use crate::{
    commits::sessions,
    giving_up::becomes,
    proxy::Proxy,
    sample::{acme, populate},
};

/// A generous limit for what must end, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_postgres_do_not_wait_for_ever() {
    reads_do_not_wait_for_ever(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_mariadb_do_not_wait_for_ever() {
    reads_do_not_wait_for_ever(Kind::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_cancellation_on_postgres_hits_no_other_read() {
    a_late_cancellation_hits_no_other_read(Kind::Postgres, "BEGIN; LOCK TABLE projects", "ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_cancellation_on_mariadb_hits_no_other_read() {
    a_late_cancellation_hits_no_other_read(Kind::MySql, "LOCK TABLES projects WRITE", "UNLOCK TABLES").await;
}

/// The cancellation arrives late, for a connection that is no longer used.
async fn a_late_cancellation_hits_no_other_read(kind: Kind, lock: &str, unlock: &str) {
    let (database, store) = Database::migrated(kind).await;
    populate(&store).await;
    store.close().await;
    let proxy = Proxy::start(&database).await;
    let store = SqlStore::open(proxy.options(&database)).await.unwrap();
    store.project(&acme()).await.unwrap();
    // The connections of the first store may take a moment to end.
    let one = async {
        loop {
            if let [session] = sessions(&database).await[..] {
                break session;
            }
        }
    };
    let session = timeout(PATIENCE, one).await.expect("the pool has one connection");
    let raw = database.raw().await;
    raw.execute_unprepared(lock).await.unwrap();
    proxy.hold_cancellations();
    let read = async { store.project(&acme()).await };
    tokio::select! {
        read = read => panic!("the read does not wait: {read:?}"),
        () = becomes(&database, true) => {}
    }
    proxy.happened().await;
    raw.execute_unprepared(unlock).await.unwrap();
    raw.close().await.unwrap();
    let gone = async {
        while sessions(&database).await.contains(&session) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the connection is used again");
    store.project(&acme()).await.unwrap();
    store.close().await;
}

async fn reads_do_not_wait_for_ever(kind: Kind) {
    let (database, store) = Database::migrated(kind).await;
    populate(&store).await;
    store.close().await;
    let proxy = Proxy::start(&database).await;
    let second = Duration::from_secs(1);
    let options = Options { acquire_timeout: second, slowest_read: second, ..proxy.options(&database) };
    let store = SqlStore::open(options).await.unwrap();
    // Reads for verifications use two connections in turn.
    let verify = async || store.lately_used(1).await.map(drop);
    let admin = async || store.project(&acme()).await.map(drop);
    for _ in 0..2 {
        tokio::try_join!(verify(), verify(), admin()).unwrap();
    }
    proxy.lose_the_server();
    let lost = async { tokio::join!(verify(), verify(), admin()) };
    let lost = timeout(PATIENCE, lost).await.expect("reads wait for a lost host");
    for read in [lost.0, lost.1, lost.2] {
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    }
    let again = async { while tokio::try_join!(verify(), verify(), admin()).is_err() {} };
    timeout(PATIENCE, again).await.expect("its connections are used again");
    store.close().await;
}
