//! Migrations: each runs at most once, even if many processes migrate at a time; a newer schema is refused.

use std::sync::Arc;

use keystile::{
    ports::ReadLog,
    store::{Location, MigrateError, SqlStore},
};
use testkit::database::{Database, Kind};
use tokio::task::JoinSet;

use crate::sample::{insert_keys, key, populate};

pub(crate) async fn many_processes_migrate_one_fresh_database(database: &Database) {
    let mut starts = JoinSet::new();
    for _ in 0..6 {
        let store = database.open().await;
        starts.spawn(async move {
            store.migrate().await.expect("one migrates, the others wait");
            // The schema is ready when it returns, whichever process did the work.
            assert_eq!(store.head().await.unwrap().revision, 0);
            store.close().await;
        });
    }
    starts.join_all().await;
}

pub(crate) async fn migrating_again_changes_nothing(database: &Database) {
    let store = migrated(database).await;
    populate(&store).await;
    store.migrate().await.unwrap();
    assert_eq!(store.head().await.unwrap().revision, 1);
    store.close().await;
}

/// The state after MySQL was stopped in the middle: it cannot roll back a change of the schema.
pub(crate) async fn a_migration_that_was_cut_off_is_finished(database: &Database) {
    let store = migrated(database).await;
    database.execute("DELETE FROM seaql_migrations").await;
    database.execute("DROP TABLE key_terms").await;
    store.migrate().await.unwrap();
    populate(&store).await;
    insert_keys(&store, [key(1)]).await;
    store.close().await;
}

pub(crate) async fn a_newer_schema_is_refused(database: &Database) {
    let store = migrated(database).await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 1)";
    database.execute(newer).await;
    let refused = store.migrate().await.unwrap_err();
    assert!(matches!(&refused, MigrateError::Newer { version } if version == "m9999_future"), "{refused:?}");
    assert!(refused.to_string().contains("newer Keystile"), "{refused}");
    store.close().await;
}

async fn migrated(database: &Database) -> SqlStore {
    let store = database.open().await;
    store.migrate().await.unwrap();
    store
}

/// As `keystile root-key` does while a server runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_one_sqlite_file() {
    let (database, first) = Database::migrated(Kind::Sqlite).await;
    let second = Arc::new(database.open().await);
    populate(&first).await;
    let first = Arc::new(first);
    let mut writers = JoinSet::new();
    for (store, start) in [(&first, 0), (&second, 100)] {
        for n in start..start + 20 {
            let store = store.clone();
            writers.spawn(async move { insert_keys(&*store, [key(n)]).await });
        }
    }
    writers.join_all().await;
    assert_eq!(first.head().await.unwrap(), second.head().await.unwrap());
    assert_eq!(first.head().await.unwrap().revision, 41);
}

#[tokio::test]
async fn a_sqlite_file_is_accessible_to_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let (database, store) = Database::migrated(Kind::Sqlite).await;
    populate(&store).await;
    let Location::Sqlite(file) = &database.location else { panic!("{:?}", database.location) };
    let directory = file.parent().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the file, its write-ahead log and the log's index");
}
