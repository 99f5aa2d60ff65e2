//! The contract of the store: every test runs on SQLite, PostgreSQL and MariaDB.

#[path = "../support/database.rs"]
mod database;

mod changes;
mod listing;
mod log;
mod owners;
mod races;
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
    changes: the_log_begins_at_its_genesis, what_exists_is_told_apart, a_stale_revision_is_a_conflict,
        a_refused_change_leaves_nothing, a_trial_leaves_nothing, expectations_are_checked_in_the_change,
        keys_in_use_are_found, keys_go_with_their_owner, a_purged_key_leaves_nothing,
        a_deleted_project_leaves_nothing_but_its_log, requests_are_remembered_for_a_while;
    races: concurrent_changes_make_one_gapless_chain, of_changes_to_one_key_one_wins,
        traces_and_changes_do_not_block_each_other, last_use_only_moves_forward,
        many_uses_are_recorded_at_once, an_update_keeps_what_verifications_left,
        a_rehash_replaces_only_what_was_verified;
    listing: keys_are_filtered_by_what_they_are, keys_are_filtered_by_their_times,
        states_are_those_of_the_instant, counts_are_those_of_the_instant, keys_page_by_keyset,
        pages_hold_while_keys_come_and_go, a_place_that_does_not_fit_has_nothing_behind_it;
    owners: accounts_are_filtered, accounts_page_by_keyset, projects_page_in_the_order_of_creation;
    log: events_read_back_as_they_were_hashed, events_are_filtered;
}
