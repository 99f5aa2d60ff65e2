//! Listing service accounts and projects.

use domain::{
    access::Projects,
    key::Key,
    page::{Cursor, Id, Page, SortValue},
    query::{AccountOrder, account_filter, account_order},
    resource::Resource,
    service_account::ServiceAccount,
};
use keystile::{
    ports::{
        Commits, ReadKeys, ReadProjects, ReadServiceAccounts,
        commits::{Commit, Expect},
        write::Write,
    },
    store::SqlStore,
};
use testkit::database::Database;

use crate::sample::{account, acme, at, commit, insert_keys, key, key_id, populate, project, stored, write};

pub(crate) async fn accounts_are_filtered(_: &Database, store: &SqlStore) {
    let accounts = [
        ServiceAccount { external_id: "X-1".parse().unwrap(), create_time: at(10), ..account("a") },
        ServiceAccount {
            disable_time: Some(at(50)),
            create_time: at(20),
            display_name: "Named ".parse().unwrap(),
            ..account("b")
        },
        ServiceAccount {
            external_id: "x-1".parse().unwrap(),
            create_time: at(30),
            display_name: "Named".parse().unwrap(),
            ..account("c")
        },
    ];
    insert(store, accounts).await;
    for (filter, expected) in [
        ("", "abc"),
        ("state = ACTIVE", "ac"),
        ("state = DISABLED", "b"),
        ("state != DISABLED", "ac"),
        ("external_id = X-1", "a"),
        ("external_id = x-1", "c"),
        ("external_id = \"x-1 \"", ""),
        ("external_id = \"\"", "b"),
        ("display_name = Named", "c"),
        ("display_name = \"Named \"", "b"),
        ("display_name = \"Named\u{0}\"", ""),
        ("create_time > \"1970-01-01T00:00:10Z\"", "bc"),
        ("create_time > \"1970-01-01T00:00:10Z\" AND state = ACTIVE", "c"),
    ] {
        assert_eq!(listed(store, filter, "", 100).await, expected, "{filter}");
    }
}

pub(crate) async fn accounts_page_by_keyset(_: &Database, store: &SqlStore) {
    let accounts = ["d", "a", "c", "b", "e"].map(|id| ServiceAccount {
        create_time: at(if "ab".contains(id) { 20 } else { 10 }),
        display_name: if "ace".contains(id) { "Z" } else { "a" }.parse().unwrap(),
        ..account(id)
    });
    insert(store, accounts).await;
    for size in [1, 2, 5, 9] {
        assert_eq!(listed(store, "", "create_time", size).await, "cdeab");
        assert_eq!(listed(store, "", "create_time desc", size).await, "baedc");
        assert_eq!(listed(store, "", "display_name", size).await, "acebd");
        assert_eq!(listed(store, "", "display_name desc", size).await, "dbeca");
    }
}

pub(crate) async fn projects_page_in_the_order_of_creation(_: &Database, store: &SqlStore) {
    let projects = [("d", 2), ("a", 2), ("c", 1), ("b", 1), ("e", 3)]
        .map(|(id, time)| Write::insert(domain::project::Project { create_time: at(time), ..project(id) }));
    write(store, projects.into()).await;
    for (descending, expected) in [(false, "bcade"), (true, "edacb")] {
        for size in [1, 2, 5, 9] {
            let mut page = crate::sample::first_page((), size);
            page.order.descending = descending;
            let mut ids = String::new();
            loop {
                let projects = store.projects(&Projects::All, page.clone()).await.unwrap();
                let Some(last) = projects.last() else { break };
                page.after = Some(Cursor {
                    value: SortValue::Number(last.create_time.as_micros()),
                    id: Id::Text(last.id.to_string()),
                });
                ids.extend(projects.iter().map(|it| it.id.as_str()));
            }
            assert_eq!(ids, expected);
        }
    }
}

async fn insert(store: &SqlStore, accounts: impl IntoIterator<Item = ServiceAccount>) {
    let mut writes = vec![
        Write::insert(project("acme")),
        Write::insert(project("other")),
        Write::insert(ServiceAccount { project: "other".parse().unwrap(), ..account("foreign") }),
    ];
    writes.extend(accounts.into_iter().map(Write::insert));
    write(store, writes).await;
}

/// The ids of all that match, concatenated, page by page.
async fn listed(store: &SqlStore, filter: &str, order: &str, size: u64) -> String {
    let filter = account_filter(filter).unwrap();
    let mut page = Page { size, order: account_order(order).unwrap(), after: None };
    let mut ids = String::new();
    loop {
        let accounts = store.service_accounts(&acme(), &filter, page.clone()).await;
        let accounts = accounts.unwrap();
        let Some(last) = accounts.last() else {
            return ids;
        };
        page.after = Some(Cursor {
            value: match page.order.by {
                AccountOrder::CreateTime => SortValue::Number(last.create_time.as_micros()),
                AccountOrder::DisplayName => SortValue::Text(last.display_name.to_string()),
            },
            id: Id::Text(last.id.to_string()),
        });
        ids.extend(accounts.iter().map(|account| account.id.as_str()));
    }
}

/// Keys of an account that had the same id before are still to be deleted.
pub(crate) async fn keys_of_an_account_are_those_of_its_generation(_: &Database, store: &SqlStore) {
    populate(store).await;
    let now = account("ci");
    let of_former = Key { account_generation: now.generation + 1, ..key(1) };
    insert_keys(store, [of_former, key(2), key(3)]).await;
    let owned = async |most| {
        let mut ids: Vec<_> =
            store.keys_of_account(&now, most).await.unwrap().into_iter().map(|it| it.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(owned(10).await, [key_id(2), key_id(3)]);
    assert_eq!(owned(1).await.len(), 1);
    let newest = stored(store, key_id(3)).await.revision;
    for (generation, number, newest, holds) in [
        (now.generation, 2, newest, true),
        (now.generation, 1, newest, false),
        (now.generation, 3, newest, false),
        (now.generation, 2, newest + 1, false),
        (now.generation + 1, 1, newest, true),
        (now.generation + 2, 0, 0, true),
    ] {
        let expect = vec![Expect::KeysOfOwner { owner: now.name(), generation, number, newest }];
        let outcome = store.commit(Commit { expect, ..commit(vec![]) }).await;
        assert_eq!(outcome.is_ok(), holds, "{generation} {number} {newest}: {outcome:?}");
    }
}
