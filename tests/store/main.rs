//! The contract of the store: every test runs on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod commits;
mod ends;
mod failures;
mod filters;
mod giving_up;
mod listing;
mod loads;
mod log;
mod lost;
mod owners;
mod peppers;
mod plans;
mod proxy;
mod races;
mod removal;
mod resources;
mod role_removal;
mod roles;
mod sample;
mod schema;
mod traces;
mod upgrade;

/// Instantiates tests for every database: of the form `async fn(&Database, &SqlStore)` where there is a
/// schema, and of the form `async fn(&Database)` where there is none yet.
macro_rules! contract {
    (migrated { $($migrated:tt)+ } empty { $($empty:tt)+ }) => {
        mod sqlite {
            contract!(@migrated Sqlite $($migrated)+);
            contract!(@empty Sqlite $($empty)+);
        }
        mod postgres {
            contract!(@migrated Postgres $($migrated)+);
            contract!(@empty Postgres $($empty)+);
        }
        mod mariadb {
            contract!(@migrated MySql $($migrated)+);
            contract!(@empty MySql $($empty)+);
        }
    };
    (@migrated $kind:ident $($module:ident: $($test:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let kind = testkit::database::Kind::$kind;
                let (database, store) = testkit::database::Database::migrated(kind).await;
                crate::$module::$test(&database, &store).await;
                store.close().await;
            }
        )+)+
    };
    (@empty $kind:ident $($module:ident: $($test:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let kind = testkit::database::Kind::$kind;
                let database = testkit::database::Database::empty(kind).await;
                crate::$module::$test(&database).await;
            }
        )+)+
    };
}

contract! {
    migrated {
        resources: a_key_reads_back_whole, a_project_reads_back_whole,
            an_account_reads_back_whole, stored_texts_that_break_a_newer_rule_are_read,
            nothing_is_found_in_another_project;
        loads: a_loaded_key_has_its_owner, several_keys_are_loaded_at_once,
            a_damaged_key_fails_no_other;
        changes: the_log_begins_at_its_genesis, each_conflict_with_an_existing_row_has_its_error,
            a_stale_revision_is_a_conflict, a_refused_change_writes_nothing,
            a_dry_run_writes_nothing, each_step_has_an_event_of_its_own, expectations_are_checked_in_the_change,
            requests_are_remembered_for_a_while;
        commits: changes_may_be_dropped_at_any_await, a_database_that_lost_changes_is_noticed;
        ends: keys_in_use_are_found, keys_to_remove_are_walked_in_order, a_purged_key_leaves_no_rows,
            a_deleted_project_is_gone_before_what_it_owns, a_removal_reads_back_until_it_is_finished,
            implicit_owners_are_those_of_no_other_key;
        removal: a_removal_goes_in_small_commits_and_is_finished_by_housekeeping,
            replicas_finish_a_removal_side_by_side, a_row_that_cannot_be_read_stops_no_purge,
            tasks_of_housekeeping_take_turns, removals_that_cannot_be_finished_starve_no_other,
            old_requests_are_forgotten_in_portions;
        roles: a_role_reads_back_whole, roles_are_loaded_with_the_head, a_damaged_role_fails_its_load,
            roles_are_filtered, roles_page_by_keyset, a_project_has_roles_of_its_own_or_none,
            a_project_has_only_so_many_roles;
        role_removal: a_role_leaves_its_keys_in_small_commits,
            replicas_take_a_role_from_its_keys_side_by_side, removals_of_the_same_keys_meet,
            the_roles_of_a_project_follow_it, a_role_removal_reads_back_until_no_key_holds_it,
            holders_of_a_role_are_found, holders_of_a_role_are_walked_by_id;
        races: concurrent_changes_make_one_gapless_chain, of_concurrent_changes_to_one_key_one_wins,
            recorded_uses_and_changes_do_not_block_each_other;
        traces: last_use_only_moves_forward, keys_and_owners_have_the_latest_use_of_their_secrets,
            the_most_recently_used_come_first, many_uses_are_recorded_at_once,
            an_update_keeps_recorded_uses_and_digests, a_rehash_replaces_only_what_was_verified;
        filters: keys_are_filtered_by_each_field, keys_are_filtered_by_their_times,
            states_are_as_of_the_instant, counts_are_as_of_the_instant;
        listing: keys_page_by_keyset, pages_are_stable_while_keys_come_and_go,
            a_cursor_that_does_not_fit_the_order_finds_nothing;
        owners: accounts_are_filtered, accounts_page_by_keyset,
            keys_of_an_account_are_those_of_its_generation,
            projects_page_in_the_order_of_creation;
        log: events_read_back_as_they_were_hashed, changes_are_followed_by_revision,
            events_are_filtered;
        plans: keys_are_loaded_by_one_query_by_primary_keys,
            key_pages_begin_in_the_middle_of_an_index,
            keys_to_remove_are_found_by_an_index, whether_keys_hold_a_role_is_found_by_an_index,
            other_pages_come_in_the_order_of_an_index, the_log_is_read_by_an_index,
            a_search_by_words_uses_the_index,
            uses_are_written_by_three_statements_by_primary_keys,
            the_most_recently_used_keys_are_read_from_an_index_only;
        giving_up: a_dropped_read_ends_in_the_database,
            a_read_that_takes_too_long_is_cancelled,
            reads_of_admins_leave_connections_to_verifications,
            reads_of_the_head_by_admins_leave_connections_to_verifications;
        upgrade: keys_from_before_roles_become_root, an_old_key_keeps_the_projects_that_it_lists,
            after_the_upgrade_a_key_without_roles_holds_nothing,
            a_project_of_an_old_replica_gets_the_built_in_roles,
            an_old_key_that_cannot_be_read_stops_no_start;
        peppers: the_first_fingerprint_of_a_pepper_stays;
        failures: a_closed_store_does_not_answer, errors_contain_no_values;
    }
    empty {
        schema: many_processes_migrate_one_fresh_database, migrating_again_changes_nothing,
            a_migration_that_was_cut_off_is_finished, a_newer_schema_is_refused;
        roles: an_old_project_gets_the_built_in_roles;
    }
}
