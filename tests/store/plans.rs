//! Query plans: each query uses an index, and begins at the first row that it needs.

use std::sync::{Arc, Mutex};

use domain::{
    access::Projects,
    filter::Filter,
    key::{Deletion, Key},
    name::ServiceAccountName,
    page::{Cursor, Id, Page, SortValue},
    query::{
        AccountOrder, RoleOrder, account_order, event_filter, event_order, key_filter, key_order, role_order,
    },
    removal::Removed,
    resource::Resource,
};
use keystile::{
    ports::{
        Cleanup, Commits, LoadKeys, ReadKeys, ReadLog, ReadProjects, ReadRoles, ReadServiceAccounts,
        Recording,
        cleanup::Removable,
        commits::{Commit, CommitError, Expect, KeysOf},
        recorder::LastUse,
        write::Write,
    },
    store::SqlStore,
};
use sea_orm::{ConnectionTrait, Statement};
use testkit::database::{Database, Kind};

use crate::{
    listing::cursor_at,
    sample::{
        account, acme, at, change, commit, commit_of, insert_keys, key, key_id, populate, query, role, write,
    },
};

pub(crate) async fn keys_are_loaded_by_one_query_by_primary_keys(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..1000).map(key)).await;
    // A planner rightly reads a table of one row as a whole.
    owners(store).await;
    let (watched, seen) = watch(database).await;
    let many = |number: u64| (0..number).map(|n| key_id(n * 20)).collect();
    let loads: [Vec<_>; 6] = [many(1), vec![key_id(9999)], many(2), many(5), many(17), many(64)];
    for ids in loads {
        watched.load(&ids).await.unwrap();
        let statements = take(&seen);
        assert_eq!(statements.len(), 1, "{statements:?}");
        let plan = Plan::of(database, &statements[0]).await;
        plan.assert_searches_only();
    }
    watched.close().await;
}

/// Page 1,000 costs what page 1 costs: the database begins to read in the middle of an index that has the
/// order of the page.
pub(crate) async fn key_pages_begin_in_the_middle_of_an_index(database: &Database, store: &SqlStore) {
    populate(store).await;
    let keys: Vec<Key> = (0..1000)
        .map(|n: u64| Key {
            create_time: at(i64::try_from(n / 100).unwrap()),
            display_name: format!("Name {}", n % 10).parse().unwrap(),
            last_used_time: n.is_multiple_of(2).then(|| at(50)),
            expire_time: n.is_multiple_of(2).then(|| at(2_000_000)),
            ..key(n)
        })
        .collect();
    insert_keys(store, keys.clone()).await;
    let (watched, seen) = watch(database).await;
    let everything = Filter::everything();
    for field in ["create_time", "display_name", "last_used_time", "expire_time"] {
        for direction in ["", " desc"] {
            let order = key_order(&format!("{field}{direction}")).unwrap();
            let after = Some(cursor_at(&keys[500], order.by));
            let page = Page { size: 20, order, after };
            watched.keys(query(&everything), page).await.unwrap();
            let plan = Plan::of(database, &take(&seen)[0]).await;
            plan.assert_in_order_of(&format!("keys_by_{field}"));
            plan.assert_begins_in_the_middle();
        }
    }
    watched.close().await;
}

pub(crate) async fn other_pages_come_in_the_order_of_an_index(database: &Database, store: &SqlStore) {
    populate(store).await;
    owners(store).await;
    let (watched, seen) = watch(database).await;
    let everything = Filter::everything();
    let text = |text: &str| Id::Text(text.into());
    for field in ["create_time", "display_name"] {
        let order = account_order(field).unwrap();
        let value = match order.by {
            AccountOrder::CreateTime => SortValue::Number(at(1).as_micros()),
            AccountOrder::DisplayName => SortValue::Text("The account-150 account".into()),
        };
        let after = Some(Cursor { value, id: text("account-150") });
        let page = Page { size: 20, order, after };
        watched.service_accounts(&acme(), &everything, page).await.unwrap();
        let plan = Plan::of(database, &take(&seen)[0]).await;
        plan.assert_in_order_of(&format!("service_accounts_by_{field}"));
        plan.assert_begins_in_the_middle();
    }
    let roles = Filter::everything();
    for field in ["create_time", "display_name"] {
        let order = role_order(field).unwrap();
        let value = match order.by {
            RoleOrder::CreateTime => SortValue::Number(at(1).as_micros()),
            RoleOrder::DisplayName => SortValue::Text("The role-150 role".into()),
        };
        let page = Page { size: 20, order, after: Some(Cursor { value, id: text("role-150") }) };
        watched.roles(&acme(), &roles, page).await.unwrap();
        let plan = Plan::of(database, &take(&seen)[0]).await;
        plan.assert_in_order_of(&format!("roles_by_{field}"));
        plan.assert_begins_in_the_middle();
    }
    let mut page = crate::sample::first_page((), 20);
    page.after = Some(Cursor { value: SortValue::Number(at(1).as_micros()), id: text("project-150") });
    watched.projects(&Projects::All, page).await.unwrap();
    let plan = Plan::of(database, &take(&seen)[0]).await;
    plan.assert_in_order_of("projects_by_create_time");
    plan.assert_begins_in_the_middle();
    watched.close().await;
}

/// More projects, and more accounts of `acme`.
async fn owners(store: &SqlStore) {
    let accounts = (0..300).map(|n| Write::insert(account(&format!("account-{n}"))));
    write(store, accounts.collect()).await;
    let roles = (0..300).map(|n| Write::insert(role(&format!("role-{n}"))));
    write(store, roles.collect()).await;
    let projects = (0..300).map(|n| Write::insert(crate::sample::project(&format!("project-{n}"))));
    write(store, projects.collect()).await;
}

/// Housekeeping and removals read by an index from a cursor; counts are read from an index only.
pub(crate) async fn keys_to_remove_are_found_by_an_index(database: &Database, store: &SqlStore) {
    populate(store).await;
    owners(store).await;
    let deletion = |n: u64| Deletion { time: at(5), purge_time: at(20 + i64::try_from(n).unwrap()) };
    let roles = |n: u64| if n.is_multiple_of(10) { vec!["editor".parse().unwrap()] } else { vec![] };
    let keys =
        (0..1000).map(|n| Key { deletion: (n % 20 == 0).then(|| deletion(n)), roles: roles(n), ..key(n) });
    insert_keys(store, keys.collect::<Vec<_>>()).await;
    database.execute(if database.kind == Kind::Postgres { "VACUUM keys" } else { "SELECT 1" }).await;
    let (watched, seen) = watch(database).await;
    let ci = Removed::ServiceAccount {
        name: ServiceAccountName { project: acme(), service_account: "ci".parse().unwrap() },
        generation: 7,
        deletion: deletion(0),
    };
    for which in [
        Removable::Due(at(900)),
        Removable::LeftBehind(&Removed::Project(acme())),
        Removable::LeftBehind(&ci),
    ] {
        let first = watched.keys_to_remove(which, None, 20).await.unwrap();
        take(&seen);
        let after = first.last().map(|it| it.cursor.clone());
        watched.keys_to_remove(which, after, 20).await.unwrap();
        let plan = Plan::of(database, &take(&seen)[0]).await;
        plan.assert_searches_only();
        plan.assert_begins_in_the_middle();
    }
    // Those that hold a role are found by it, however many others there are.
    let role = Removed::Role("projects/acme/roles/editor".parse().unwrap());
    let first = watched.keys_to_remove(Removable::LeftBehind(&role), None, 20).await.unwrap();
    assert_eq!(first.len(), 20);
    take(&seen);
    let after = first.last().map(|it| it.cursor.clone());
    watched.keys_to_remove(Removable::LeftBehind(&role), after, 20).await.unwrap();
    let plan = Plan::of(database, &take(&seen)[0]).await;
    plan.assert_searches_only();
    assert!(plan.has("key_terms"), "{:#?}", plan.lines);
    let everything = Filter::everything();
    watched.count_keys(query(&everything)).await.unwrap();
    let plan = Plan::of(database, &take(&seen)[0]).await;
    let index = match database.kind {
        Kind::Sqlite => "USING COVERING INDEX keys_by_state",
        Kind::Postgres => "Index Only Scan using keys_by_state",
        Kind::MySql => "by keys_by_state: Using where; Using index",
    };
    assert!(plan.has(index), "{:#?}", plan.lines);
    watched.close().await;
}

/// All other changes wait for this check.
pub(crate) async fn whether_keys_hold_a_role_is_found_by_an_index(database: &Database, store: &SqlStore) {
    populate(store).await;
    owners(store).await;
    let roles = |n: u64| if n.is_multiple_of(10) { vec!["editor".parse().unwrap()] } else { vec![] };
    insert_keys(store, (0..1000).map(|n| Key { roles: roles(n), ..key(n) })).await;
    let (watched, seen) = watch(database).await;
    for except_deleted in [false, true] {
        let of = KeysOf::Role("editor".parse().unwrap());
        let unused = Expect::NoKeys { project: acme(), of, except_deleted, now: at(900) };
        let refused = watched.commit(Commit { expect: vec![unused], ..commit(vec![]) }).await;
        assert!(matches!(refused, Err(CommitError::InUse(Key::KIND))), "{refused:?}");
        let looks = take(&seen);
        let look = looks.iter().find(|it| it.sql.contains("key_terms")).unwrap();
        let plan = Plan::of(database, look).await;
        plan.assert_searches(&["keys", "key_terms"]);
    }
    watched.close().await;
}

pub(crate) async fn the_log_is_read_by_an_index(database: &Database, store: &SqlStore) {
    for n in 0..200 {
        let target = format!("projects/acme/keys/{n}");
        let change = commit_of(change(&target), vec![]);
        store.commit(change).await.unwrap();
    }
    let (watched, seen) = watch(database).await;
    let of = |id: &str| Projects::These([id.parse().unwrap()].into());
    for (projects, filter) in [
        (Projects::All, ""),
        (of("acme"), ""),
        (of("other"), ""),
        (of("acme"), "target = projects/acme/keys/7"),
    ] {
        let filter = event_filter(filter).unwrap();
        let after = Some(Cursor { value: SortValue::Number(100), id: Id::None });
        let page = Page { size: 20, order: event_order("").unwrap(), after };
        watched.events(&projects, &filter, page).await.unwrap();
        let plan = Plan::of(database, &take(&seen)[0]).await;
        plan.assert_searches_only();
        if filter == Filter::everything() {
            plan.assert_begins_in_the_middle();
        }
    }
    watched.close().await;
}

/// A search for many words has a small plan: two index lookups, the second for each key that the first finds.
pub(crate) async fn a_search_by_words_uses_the_index(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..1000).map(key)).await;
    let (watched, seen) = watch(database).await;
    // No word is a prefix of another.
    let words: Vec<_> = (10..60).map(|n| format!("word{n}")).collect();
    let mut sizes = Vec::new();
    for text in [&words[..2], &words[..]] {
        let filter = key_filter(&format!("display_name:\"{}\"", text.join(" "))).unwrap();
        let page = Page { size: 20, order: key_order("").unwrap(), after: None };
        assert_eq!(watched.keys(query(&filter), page).await.unwrap().len(), 0);
        let plan = Plan::of(database, &take(&seen)[0]).await;
        plan.assert_searches(&["keys", "key_terms", "others"]);
        sizes.push(plan.lines.len());
    }
    assert_eq!(sizes[0], sizes[1], "the plan grows with the number of words");
    watched.close().await;
}

/// For any number of uses, each statement is prepared once, and no table is scanned.
pub(crate) async fn uses_are_written_by_three_statements_by_primary_keys(
    database: &Database,
    store: &SqlStore,
) {
    populate(store).await;
    let accounts = (0..300).map(|n| Write::insert(account(&format!("account-{n}"))));
    write(store, accounts.collect()).await;
    let keys = (0..1000)
        .map(|n: u64| Key { service_account: format!("account-{}", n % 300).parse().unwrap(), ..key(n) });
    insert_keys(store, keys).await;
    let (watched, seen) = watch(database).await;
    let mut texts = Vec::new();
    for number in [1, 100] {
        let used = |n| LastUse { key: key_id(n), secret_version: 1, time: at(60) };
        let uses: Vec<LastUse> = (0..number).map(used).collect();
        watched.record_uses(&uses).await.unwrap();
        let statements: Vec<_> = take(&seen).into_iter().filter(|it| it.sql.starts_with("UPDATE")).collect();
        assert_eq!(statements.len(), 3, "{statements:?}");
        for statement in &statements {
            let plan = Plan::of(database, statement).await;
            plan.assert_searches(&["keys", "secrets", "service_accounts"]);
        }
        texts.push(statements.into_iter().map(|it| it.sql).collect::<Vec<_>>());
    }
    assert_eq!(texts[0], texts[1]);
    watched.close().await;
}

/// Preloading reads every key that was ever used, but from an index, not from the table.
pub(crate) async fn the_most_recently_used_keys_are_read_from_an_index_only(
    database: &Database,
    store: &SqlStore,
) {
    populate(store).await;
    insert_keys(store, (0..1000).map(|n| Key { last_used_time: Some(at(50)), ..key(n) })).await;
    database.execute(if database.kind == Kind::Postgres { "VACUUM keys" } else { "SELECT 1" }).await;
    let (watched, seen) = watch(database).await;
    assert_eq!(watched.lately_used(100).await.unwrap().len(), 100);
    let plan = Plan::of(database, &take(&seen)[0]).await;
    let index = match database.kind {
        Kind::Sqlite => "USING COVERING INDEX keys_by_last_used_time",
        Kind::Postgres => "Index Only Scan using keys_by_last_used_time",
        Kind::MySql => "by keys_by_last_used_time: Using where; Using index",
    };
    assert!(plan.has(index), "{:#?}", plan.lines);
    watched.close().await;
}

type Seen = Arc<Mutex<Vec<Statement>>>;

/// A store whose statements are recorded, after the database has updated its planner's statistics.
async fn watch(database: &Database) -> (SqlStore, Seen) {
    for table in ["keys", "key_terms", "secrets", "service_accounts", "roles", "projects", "audit_events"] {
        database
            .execute(&match database.kind {
                Kind::MySql => format!("ANALYZE TABLE `{table}`"),
                _ => format!("ANALYZE \"{table}\""),
            })
            .await;
    }
    let seen = Seen::default();
    let mut store = database.open().await;
    let sink = seen.clone();
    store.observe(move |statement| sink.lock().unwrap().push(statement.clone()));
    (store, seen)
}

fn take(seen: &Seen) -> Vec<Statement> {
    std::mem::take(&mut *seen.lock().unwrap())
}

struct Plan {
    kind: Kind,
    /// One line for each step of the plan.
    lines: Vec<String>,
}

impl Plan {
    async fn of(database: &Database, statement: &Statement) -> Self {
        let raw = database.raw().await;
        let verb = match database.kind {
            Kind::Sqlite => "EXPLAIN QUERY PLAN",
            _ => "EXPLAIN",
        };
        if database.kind == Kind::Postgres {
            // With so few rows a scan is fastest; forbid it, to see whether an index could serve.
            raw.execute_unprepared("SET enable_seqscan = off").await.unwrap();
        }
        let explain = Statement { sql: format!("{verb} {}", statement.sql), ..statement.clone() };
        let rows = raw.query_all_raw(explain).await.unwrap();
        let lines = rows
            .iter()
            .map(|row| match database.kind {
                Kind::Sqlite => row.try_get::<String>("", "detail").unwrap(),
                Kind::Postgres => row.try_get_by_index::<String>(0).unwrap(),
                Kind::MySql => {
                    let text =
                        |column: &str| row.try_get::<Option<String>>("", column).unwrap().unwrap_or_default();
                    format!("{}: {} by {}: {}", text("table"), text("type"), text("key"), text("Extra"))
                }
            })
            .collect();
        raw.close().await.unwrap();
        Self { kind: database.kind, lines }
    }

    fn has(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    /// Fails if a table is scanned or anything is sorted.
    fn assert_searches_only(&self) {
        let slow: &[&str] = match self.kind {
            Kind::Sqlite => &["SCAN", "TEMP B-TREE"],
            Kind::Postgres => &["Seq Scan", "Sort"],
            Kind::MySql => &["ALL by", "index by", "filesort", "temporary"],
        };
        for part in slow {
            assert!(!self.has(part), "{part}: {:#?}", self.lines);
        }
    }

    /// Fails if one of these tables is scanned.
    fn assert_searches(&self, tables: &[&str]) {
        for table in tables {
            let slow = match self.kind {
                Kind::Sqlite => format!("SCAN {table}"),
                Kind::Postgres => format!("Seq Scan on {table}"),
                Kind::MySql => format!("{table}: ALL by"),
            };
            assert!(!self.has(&slow), "{slow}: {:#?}", self.lines);
        }
    }

    fn assert_in_order_of(&self, index: &str) {
        self.assert_searches_only();
        assert!(self.has(index), "{index}: {:#?}", self.lines);
    }

    fn assert_begins_in_the_middle(&self) {
        let begins = match self.kind {
            Kind::Sqlite => [")>(?,?)", ")<(?,?)", "revision<?", "rowid<?"].iter().any(|it| self.has(it)),
            Kind::Postgres => self.lines.iter().any(|line| {
                line.contains("Index Cond") && (line.contains("ROW(") || line.contains("revision <"))
            }),
            Kind::MySql => self.has("range by"),
        };
        assert!(begins, "{:#?}", self.lines);
    }
}
