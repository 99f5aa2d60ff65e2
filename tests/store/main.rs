//! The contract of the store: every test runs on SQLite, PostgreSQL and MariaDB.

#[path = "../support/database.rs"]
mod database;

mod listing;
mod resources;
mod sample;

/// Instantiates tests of the form `async fn(&Database, &SqlStore)` for every database.
macro_rules! contract {
    ($($module:ident: $($test:ident),+;)+) => {
        contract!(@on sqlite Sqlite $($module: $($test),+;)+);
        contract!(@on postgres Postgres $($module: $($test),+;)+);
        contract!(@on mariadb MySql $($module: $($test),+;)+);
    };
    (@on $name:ident $kind:ident $($module:ident: $($test:ident),+;)+) => {
        mod $name {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let kind = crate::database::Kind::$kind;
                    let (database, store) = crate::database::Database::migrated(kind).await;
                    crate::$module::$test(&database, &store).await;
                    keystile::store::SqlStore::close(&store).await;
                }
            )+)+
        }
    };
}

contract! {
    resources: a_key_reads_back_whole, a_project_reads_back_whole, an_account_reads_back_whole,
        nothing_is_found_in_another_project, a_candidate_is_the_key_with_its_owner;
}
