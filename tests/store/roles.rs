//! Roles: they read back as they were written, and are listed as they are asked for.

use domain::{
    id::{ProjectId, RoleId},
    page::{Cursor, Id, Page, SortValue},
    query::{RoleOrder, role_filter, role_order},
    role::{Role, built_in},
};
use keystile::{
    ports::{
        Commits, LoadRoles, ReadKeys, ReadRoles,
        commits::{Commit, CommitError, Expect},
        write::Write,
    },
    store::SqlStore,
};
use testkit::database::{Database, Kind};

use crate::sample::{
    account, account_id, acme, at, commit, insert_keys, key, key_id, populate, project, refused, role, write,
};

fn role_id(id: &str) -> RoleId {
    id.parse().unwrap()
}

pub(crate) async fn a_role_reads_back_whole(_: &Database, store: &SqlStore) {
    populate(store).await;
    let full = Role {
        display_name: "Editors \u{1f680} \"all\" ".parse().unwrap(),
        description: "é".repeat(500).parse().unwrap(),
        permissions: ["*", "*.read", "a-b_C.d"].map(|it| it.parse().unwrap()).to_vec(),
        endpoints: ["* /**", "/acme.Documents/*", "GET /caf%C3%A9"].map(|it| it.parse().unwrap()).to_vec(),
        created_by: Some(account_id("ci")),
        ..role("full")
    };
    let bare =
        Role { display_name: "".parse().unwrap(), permissions: vec![], built_in: true, ..role("bare") };
    let revision = write(store, vec![Write::insert(full.clone()), Write::insert(bare.clone())]).await;
    let stored = async |id| store.role(&acme(), &role_id(id)).await.unwrap();
    assert_eq!(stored("full").await, Some(Role { revision, ..full.clone() }));
    assert_eq!(stored("bare").await, Some(Role { revision, ..bare }));

    let changed = Role { endpoints: vec![], update_time: at(70), revision, ..full };
    let later = write(store, vec![Write::update(changed.clone())]).await;
    let changed = Role { revision: later, ..changed };
    assert_eq!(stored("full").await, Some(changed.clone()));
    let stale = Write::delete(Role { revision, ..changed.clone() });
    assert!(matches!(refused(store, vec![stale]).await, CommitError::Conflict));
    write(store, vec![Write::delete(changed)]).await;
    assert_eq!(stored("full").await, None);
}

pub(crate) async fn roles_are_loaded_with_the_head(_: &Database, store: &SqlStore) {
    populate(store).await;
    let other: ProjectId = "other".parse().unwrap();
    let foreign = Role { project: other.clone(), ..role("a") };
    let writes = vec![Write::insert(project("other")), Write::insert(foreign.clone())];
    write(store, writes).await;
    let head = write(store, ["a", "b", "c"].map(|id| Write::insert(role(id))).into()).await;
    for (ids, expected) in [(&["a"][..], &["a"][..]), (&["b", "none", "a"], &["a", "b"]), (&["none"], &[])] {
        let ids: Vec<_> = ids.iter().map(|id| role_id(id)).collect();
        let loaded = store.load_roles(&acme(), &ids).await.unwrap();
        let mut found: Vec<_> = loaded.roles.iter().map(|it| it.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(loaded.head.revision, head);
        assert!(loaded.roles.iter().all(|it| it.project == acme()));
    }
    let loaded = store.load_roles(&other, &[role_id("a")]).await.unwrap();
    assert_eq!(loaded.roles, [Role { revision: 2, ..foreign }]);
}

/// A load without it could allow what NOT excludes.
pub(crate) async fn a_damaged_role_fails_its_load(database: &Database, store: &SqlStore) {
    populate(store).await;
    write(store, ["a", "b"].map(|id| Write::insert(role(id))).into()).await;
    database.execute("UPDATE roles SET permissions = '[\"a..b\"]' WHERE id = 'a'").await;
    assert!(store.load_roles(&acme(), &[role_id("a"), role_id("b")]).await.is_err());
    assert!(store.load_roles(&acme(), &[role_id("b")]).await.is_ok());
}

pub(crate) async fn roles_are_filtered(_: &Database, store: &SqlStore) {
    let roles = [
        Role { built_in: true, create_time: at(10), ..role("a") },
        Role { create_time: at(20), display_name: "Named ".parse().unwrap(), ..role("b") },
        Role {
            create_time: at(30),
            update_time: at(90),
            display_name: "Named".parse().unwrap(),
            ..role("c")
        },
    ];
    insert(store, roles).await;
    for (filter, expected) in [
        ("", "abc"),
        ("built_in = true", "a"),
        ("built_in = false", "bc"),
        ("built_in != false", "a"),
        ("display_name = Named", "c"),
        ("display_name = \"Named \"", "b"),
        ("display_name = named", ""),
        ("display_name = \"Named\u{0}\"", ""),
        ("create_time > \"1970-01-01T00:00:10Z\"", "bc"),
        ("update_time > \"1970-01-01T00:01:00Z\" OR built_in = true", "ac"),
    ] {
        assert_eq!(listed(store, filter, "", 100).await, expected, "{filter}");
    }
}

pub(crate) async fn roles_page_by_keyset(_: &Database, store: &SqlStore) {
    let roles = ["d", "a", "c", "b", "e"].map(|id| Role {
        create_time: at(if "ab".contains(id) { 20 } else { 10 }),
        display_name: if "ace".contains(id) { "Z" } else { "a" }.parse().unwrap(),
        ..role(id)
    });
    insert(store, roles).await;
    for size in [1, 2, 5, 9] {
        assert_eq!(listed(store, "", "create_time", size).await, "cdeab");
        assert_eq!(listed(store, "", "create_time desc", size).await, "baedc");
        assert_eq!(listed(store, "", "display_name", size).await, "acebd");
        assert_eq!(listed(store, "", "display_name desc", size).await, "dbeca");
    }
}

pub(crate) async fn a_project_has_roles_of_its_own_or_none(_: &Database, store: &SqlStore) {
    populate(store).await;
    let none =
        async || store.commit(Commit { expect: vec![Expect::NoRoles(acme())], ..commit(vec![]) }).await;
    write(store, built_in(&acme(), at(1)).into_iter().map(Write::insert).collect()).await;
    none().await.unwrap();
    let other = Role { project: "other".parse().unwrap(), ..role("a") };
    write(store, vec![Write::insert(project("other")), Write::insert(other)]).await;
    none().await.unwrap();
    write(store, vec![Write::insert(role("a"))]).await;
    assert!(matches!(none().await, Err(CommitError::InUse(kind)) if kind.as_str() == "roles"));
}

pub(crate) async fn a_project_has_only_so_many_roles(_: &Database, store: &SqlStore) {
    populate(store).await;
    let other = Role { project: "other".parse().unwrap(), ..role("a") };
    let roles = [role("a"), role("b"), other].map(Write::insert);
    write(store, vec![Write::insert(project("other"))]).await;
    write(store, roles.into()).await;
    let below = async |most| {
        store.commit(Commit { expect: vec![Expect::RolesBelow(acme(), most)], ..commit(vec![]) }).await
    };
    below(3).await.unwrap();
    for most in [0, 1, 2] {
        let refused = below(most).await;
        assert!(
            matches!(refused, Err(CommitError::TooManyRoles(of, limit)) if (&of, limit) == (&acme(), most))
        );
    }
}

/// The database is as before there were roles. Each project gets the roles of a new project, and keys hold none.
pub(crate) async fn an_old_project_gets_the_built_in_roles(database: &Database) {
    let store = database.open().await;
    store.migrate().await.unwrap();
    populate(&store).await;
    write(&store, vec![Write::insert(project("system"))]).await;
    insert_keys(&store, [key(1)]).await;
    let keys = if database.kind == Kind::MySql { "`keys`" } else { "keys" };
    for undo in [
        "DELETE FROM seaql_migrations WHERE version = 'm0005_access'",
        "DROP TABLE role_removals",
        "DROP TABLE roles",
        &format!("ALTER TABLE {keys} DROP COLUMN roles"),
        &format!("ALTER TABLE {keys} DROP COLUMN permissions"),
        "ALTER TABLE projects DROP COLUMN key_policy",
    ] {
        database.execute(undo).await;
    }
    store.migrate().await.unwrap();
    for (id, revision) in [("acme", 1), ("system", 2)] {
        let id: ProjectId = id.parse().unwrap();
        let page = Page { size: 100, order: role_order("").unwrap(), after: None };
        let mut roles = store.roles(&id, &role_filter("").unwrap(), page).await.unwrap();
        let mut expected: Vec<_> =
            built_in(&id, at(1)).into_iter().map(|role| Role { revision, ..role }).collect();
        roles.sort_by(|one, other| one.id.cmp(&other.id));
        expected.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(roles, expected, "{id}");
    }
    let old = store.key(&acme(), key_id(1)).await.unwrap().unwrap();
    assert!(old.roles.is_empty() && old.permissions.is_empty());
    store.close().await;
}

async fn insert(store: &SqlStore, roles: impl IntoIterator<Item = Role>) {
    let foreign = Role { project: "other".parse().unwrap(), ..role("foreign") };
    let mut writes = vec![
        Write::insert(project("acme")),
        Write::insert(project("other")),
        Write::insert(account("ci")),
        Write::insert(foreign),
    ];
    writes.extend(roles.into_iter().map(Write::insert));
    write(store, writes).await;
}

/// The ids of all that pass, page by page, run together.
async fn listed(store: &SqlStore, filter: &str, order: &str, size: u64) -> String {
    let filter = role_filter(filter).unwrap();
    let mut page = Page { size, order: role_order(order).unwrap(), after: None };
    let mut ids = String::new();
    loop {
        let roles = store.roles(&acme(), &filter, page.clone()).await.unwrap();
        let Some(last) = roles.last() else {
            return ids;
        };
        page.after = Some(Cursor {
            value: match page.order.by {
                RoleOrder::CreateTime => SortValue::Number(last.create_time.as_micros()),
                RoleOrder::DisplayName => SortValue::Text(last.display_name.to_string()),
            },
            id: Id::Text(last.id.to_string()),
        });
        ids.extend(roles.iter().map(|role| role.id.as_str()));
    }
}
