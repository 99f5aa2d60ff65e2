//! The database fails: the change is not made, and no error contains a secret.

use std::{path::PathBuf, time::Duration};

use domain::{key::Key, project::Project, resource::Resource};
use keystile::{
    ports::{
        Commits, LoadKeys, ReadKeys, ReadLog, Readiness, StoreError, commits::CommitError, write::Write,
    },
    store::{Location, Options, SqlStore},
};
use testkit::database::{Database, Kind};

use crate::sample::{acme, commit, insert_keys, key, key_id, populate, refused};

/// The connection is lost while the database executes COMMIT, so the outcome is unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_off_does_not_succeed() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    populate(&store).await;
    let raw = database.raw().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &raw,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON keys DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();

    let error = refused(&store, vec![Write::insert(key(1))]).await;
    assert!(matches!(error, CommitError::OutcomeUnknown(_)), "{error:?}");
    assert!(store.key(&acme(), key_id(1)).await.unwrap().is_none());
    assert_eq!(store.head().await.unwrap().revision, 1);
    store.close().await;
}

/// Connections that the server ended are replaced; each costs at most one failed call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_connections_are_replaced() {
    let (database, store) = Database::migrated(Kind::Postgres).await;
    populate(&store).await;
    insert_keys(&store, [key(1)]).await;
    database
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    let mut errors = 0;
    while let Err(error) = store.load(&[key_id(1)]).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        errors += 1;
        assert!(errors <= database.options().max_connections);
    }
    store.close().await;
}

pub(crate) async fn a_closed_store_does_not_answer(_: &Database, store: &SqlStore) {
    populate(store).await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    let error = store.load(&[key_id(1)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = refused(store, vec![Write::insert(key(1))]).await;
    assert!(matches!(error, CommitError::Store(StoreError::Unavailable(_))), "{error:?}");
}

/// Databases quote the values that they refuse.
pub(crate) async fn errors_contain_no_values(database: &Database, store: &SqlStore) {
    const MARK: &str = "verysecretvalue";

    populate(store).await;
    let marked = Key { display_name: MARK.parse().unwrap(), token_prefix: MARK.repeat(100), ..key(1) };
    let outcome = store.commit(commit(vec![Write::insert(marked)])).await;
    match outcome {
        // SQLite does not limit the length of text.
        Ok(_) => assert_eq!(database.kind, Kind::Sqlite),
        Err(error) => assert_hides(&error, MARK),
    }
    let project = domain::project::Project { id: MARK.parse().unwrap(), ..crate::sample::project("acme") };
    crate::sample::write(store, vec![Write::insert(project.clone())]).await;
    let error = refused(store, vec![Write::insert(project)]).await;
    assert!(matches!(error, CommitError::Exists(Project::KIND)));
    assert_hides(&error, MARK);

    // The owner does not exist, so a constraint fails that no verb expects.
    let orphan = Key { project: MARK.replace("very", "other").parse().unwrap(), ..key(2) };
    let error = refused(store, vec![Write::insert(orphan)]).await;
    assert!(matches!(error, CommitError::Store(StoreError::Broken(_))), "{error:?}");
    assert_hides(&error, "secretvalue");
}

#[tokio::test]
async fn an_unreachable_database_is_reported_at_once_without_its_password() {
    const PASSWORD: &str = "hunter2hunter2";

    for (url, kind) in [
        (format!("postgres://keystile:{PASSWORD}@127.0.0.1:1/keystile"), "refused"),
        (format!("mysql://keystile:{PASSWORD}@127.0.0.1:1/keystile"), "refused"),
    ] {
        let options = options(Location::Server(url));
        assert!(!format!("{options:?}").contains(PASSWORD));
        let error = SqlStore::open(options).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains(kind)), "{error:?}");
        assert_hides(&error, PASSWORD);
    }
    let nowhere = Location::Sqlite(PathBuf::from("/nonexistent/keystile.db"));
    let error = SqlStore::open(options(nowhere)).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/keystile.db"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("keystile.db");
    std::fs::write(&file, "This is a letter, and no database at all.".repeat(100)).unwrap();
    let error = SqlStore::open(options(Location::Sqlite(file))).await.unwrap_err();
    assert!(matches!(&error, StoreError::Broken(why) if why.contains("not a database")), "{error:?}");
}

fn options(location: Location) -> Options {
    Options {
        location,
        max_connections: 4,
        acquire_timeout: Duration::from_secs(5),
        slowest_read: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        vanished_after: Duration::from_secs(60),
    }
}

fn assert_hides(error: &(impl std::error::Error + 'static), secret: &str) {
    let text = format!("{error} {error:?}");
    assert!(!text.contains(secret), "{text}");
}

/// A proxy that accepts connections and closes them has no server at the moment; the error is UNAVAILABLE on each driver.
#[tokio::test]
async fn a_proxy_without_a_server_is_an_unavailable_database() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let closing = tokio::spawn(async move {
        while let Ok((connection, _)) = proxy.accept().await {
            drop(connection);
        }
    });
    for url in [format!("postgres://postgres@{address}/postgres"), format!("mysql://root@{address}/test")] {
        let database = Database::empty(Kind::Sqlite).await;
        let options = Options { location: Location::Server(url), ..database.options() };
        let refused = SqlStore::open(options).await.err().unwrap();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    }
    closing.abort();
}
