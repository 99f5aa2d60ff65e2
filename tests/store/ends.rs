//! Deletions: what prevents one, and what it deletes besides.

use domain::{
    audit::Actor,
    key::{Deletion, Key},
    name::ServiceAccountName,
    project::Project,
    removal::{Removal, Removed},
    resource::Resource,
    service_account::ServiceAccount,
};
use keystile::{
    ports::{
        Cleanup, Commits, LoadKeys, ReadKeys, ReadProjects, ReadServiceAccounts,
        cleanup::Removable,
        commits::{Commit, CommitError, Expect, KeysOf},
        write::Write,
    },
    store::SqlStore,
};
use testkit::database::Database;

use crate::sample::{
    account, account_id, acme, at, commit, insert_keys, key, key_id, populate, project, stored, write,
};

pub(crate) async fn keys_in_use_are_found(_: &Database, store: &SqlStore) {
    populate(store).await;
    let in_use = async |of: KeysOf, except_deleted: bool| {
        let change = Commit {
            expect: vec![Expect::NoKeys { project: acme(), of, except_deleted, now: at(59) }],
            ..commit(vec![])
        };
        match store.commit(change).await {
            Ok(_) => false,
            Err(CommitError::InUse(Key::KIND)) => true,
            Err(other) => panic!("{other:?}"),
        }
    };
    let all = || {
        [
            KeysOf::Project,
            KeysOf::ServiceAccount(account_id("ci"), 7),
            KeysOf::Environment("production".parse().unwrap()),
        ]
    };
    let system = Key { protected: true, ..key(1) };
    insert_keys(store, [system]).await;
    for of in all() {
        assert!(!in_use(of, false).await, "a system key never counts");
    }
    insert_keys(store, [key(2)]).await;
    for of in all() {
        assert!(in_use(of, true).await);
    }
    assert!(!in_use(KeysOf::ServiceAccount(account_id("other"), 7), false).await);
    assert!(!in_use(KeysOf::ServiceAccount(account_id("ci"), 8), false).await);
    assert!(!in_use(KeysOf::Environment("staging".parse().unwrap()), false).await);

    let deleted = stored(store, key_id(2)).await;
    let deleted = deleted.delete(Default::default(), at(20)).unwrap();
    write(store, vec![Write::update(deleted)]).await;
    for of in all() {
        assert!(in_use(of, false).await);
    }
    for of in all() {
        assert!(!in_use(of, true).await);
    }
    // From its purge time on a key counts as gone, even if its row still exists.
    let purged = stored(store, key_id(2)).await;
    let purged = Key { deletion: Some(Deletion { time: at(20), purge_time: at(59) }), ..purged };
    write(store, vec![Write::update(purged)]).await;
    for of in all() {
        assert!(!in_use(of, false).await);
    }
}

/// A page starts after the last row that was read, even if that row is gone.
pub(crate) async fn keys_to_remove_are_walked_in_order(_: &Database, store: &SqlStore) {
    populate(store).await;
    let deleted =
        |n, purge| Key { deletion: Some(Deletion { time: at(5), purge_time: at(purge) }), ..key(n) };
    let other = Key { service_account: account_id("other"), ..key(4) };
    let earlier = Key { account_generation: 6, ..key(5) };
    insert_keys(store, [key(1), deleted(2, 60), deleted(3, 59), other, earlier, key(6), deleted(7, 61)])
        .await;
    let ci = Removed::ServiceAccount {
        name: ServiceAccountName { project: acme(), service_account: account_id("ci") },
        generation: 7,
        deletion: Deletion { time: at(50), purge_time: at(60) },
    };
    for (which, expected) in [
        (Removable::Due(at(58)), vec![]),
        (Removable::Due(at(60)), vec![3, 2]),
        (Removable::LeftBehind(&ci), vec![1, 6]),
        (Removable::LeftBehind(&Removed::Project(acme())), vec![1, 2, 3, 4, 5, 6, 7]),
    ] {
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let rows = store.keys_to_remove(which, after, 1).await.unwrap();
            let Some(row) = rows.into_iter().next() else { break };
            let key = row.key.unwrap();
            assert_eq!(key.secrets.len(), 1);
            walked.push(key.id);
            after = Some(row.cursor);
        }
        let expected: Vec<_> = expected.into_iter().map(key_id).collect();
        assert_eq!(walked, expected, "{which:?}");
    }
}

pub(crate) async fn a_purged_key_leaves_no_rows(database: &Database, store: &SqlStore) {
    populate(store).await;
    let tagged = Key { tags: vec!["core".parse().unwrap()], ..key(1) };
    insert_keys(store, [tagged, key(2)]).await;
    let purge = Write::delete(Key { revision: 2, ..key(1) });
    write(store, vec![purge]).await;
    assert!(store.key(&acme(), key_id(1)).await.unwrap().is_none());
    assert_eq!(rows(database, "secrets").await, 1);
    assert_eq!(rows(database, "key_terms").await, 2);
}

/// No read finds the project any more; its row stays until nothing belongs to it.
pub(crate) async fn a_deleted_project_is_gone_before_what_it_owns(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    write(store, vec![Write::insert(project("other"))]).await;
    let removal = Removal { of: Removed::Project(acme()), actor: Actor::Keystile, peer: "peer".into() };
    let delete = Write::delete(Project { revision: 1, ..project("acme") });
    let deleted = write(store, vec![delete, Write::BeginRemoval(removal.clone())]).await;

    assert!(store.project(&acme()).await.unwrap().is_none());
    let listed =
        store.projects(&domain::access::Projects::All, crate::sample::first_page((), 10)).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["other"]);
    assert!(store.service_account(&acme(), &account_id("ci")).await.unwrap().is_none());
    assert!(store.key(&acme(), key_id(1)).await.unwrap().is_none());
    assert!(store.key_in_any_project(key_id(1)).await.unwrap().is_none());
    let loaded = store.load(&[key_id(1)]).await.unwrap();
    assert!(loaded.key(key_id(1)).unwrap().is_none());
    assert_eq!(loaded.head.revision, deleted);
    let owner = Expect::Owner(account("ci").name(), 7);
    let refused = store.commit(Commit { expect: vec![owner], ..commit(vec![]) }).await;
    assert!(matches!(refused, Err(CommitError::OwnerGone(_))), "{refused:?}");
    let error = crate::sample::refused(store, vec![Write::insert(project("acme"))]).await;
    assert!(matches!(error, CommitError::Exists(Project::KIND)), "{error:?}");

    let unfinished = || async {
        let found = store.removals(None, 10).await.unwrap();
        found.into_iter().map(|it| it.removal.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(unfinished().await, std::slice::from_ref(&removal));
    store.finish(&removal).await.unwrap();
    assert_eq!(unfinished().await, std::slice::from_ref(&removal), "it owns a key and an account");
    write(store, vec![Write::delete(Key { revision: 2, ..key(1) })]).await;
    store.finish(&removal).await.unwrap();
    assert_eq!(unfinished().await, std::slice::from_ref(&removal), "it owns an account");
    let last = Write::delete(ServiceAccount { revision: 1, ..account("ci") });
    write(store, vec![last]).await;
    store.finish(&removal).await.unwrap();
    assert!(unfinished().await.is_empty());
    for table in ["keys", "secrets", "key_terms", "service_accounts", "removals"] {
        assert_eq!(rows(database, table).await, 0, "{table}");
    }
    assert_eq!(rows(database, "projects").await, 1);
    write(store, vec![Write::insert(project("acme"))]).await;
}

pub(crate) async fn a_removal_reads_back_until_it_is_finished(_: &Database, store: &SqlStore) {
    populate(store).await;
    let removal = |generation| Removal {
        of: Removed::ServiceAccount {
            name: ServiceAccountName { project: acme(), service_account: account_id("ci") },
            generation,
            deletion: Deletion { time: at(50), purge_time: at(60) },
        },
        actor: Actor::Caller { service_account: account_id("root"), key: key_id(9) },
        peer: "2001:db8::1".into(),
    };
    write(store, vec![Write::BeginRemoval(removal(7)), Write::BeginRemoval(removal(8))]).await;
    store.finish(&removal(7)).await.unwrap();
    let left = store.removals(None, 10).await.unwrap();
    assert_eq!(left.into_iter().map(|it| it.removal.unwrap()).collect::<Vec<_>>(), [removal(8)]);
}

pub(crate) async fn implicit_owners_are_those_of_no_other_key(_: &Database, store: &SqlStore) {
    populate(store).await;
    let implicit = |id: &str| ServiceAccount { implicit: true, ..account(id) };
    let of = |n, owner: &str| Key { service_account: account_id(owner), ..key(n) };
    write(store, vec![Write::insert(implicit("one"))]).await;
    write(store, vec![Write::insert(implicit("two"))]).await;
    let stranger = Key { account_generation: 6, ..of(5, "one") };
    let keys = [key(1), of(2, "one"), of(3, "two"), of(4, "two"), stranger.clone()];
    insert_keys(store, keys.clone()).await;
    let owners = async |keys: &[Key]| {
        let mut ids: Vec<_> =
            store.implicit_owners(keys).await.unwrap().into_iter().map(|it| it.id.to_string()).collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(owners(&keys[..1]).await, "");
    assert_eq!(owners(&keys[..2]).await, "one");
    assert_eq!(owners(&keys[..3]).await, "one");
    assert_eq!(owners(&keys).await, "one two");
    assert_eq!(owners(&[stranger]).await, "");
    assert_eq!(owners(&[]).await, "");

    // The change itself checks that the account owns nothing. Here it owns a key.
    let delete = |id: &str, revision| Write::DeleteUnused(ServiceAccount { revision, ..account(id) });
    let error = crate::sample::refused(store, vec![delete("one", 2)]).await;
    assert!(matches!(error, CommitError::Conflict), "{error:?}");
    let purge = Write::delete(Key { revision: 4, ..key(2) });
    write(store, vec![purge, delete("one", 2)]).await;
    assert!(store.service_account(&acme(), &account_id("one")).await.unwrap().is_none());
}

pub(crate) async fn rows(database: &Database, table: &'static str) -> i64 {
    use sea_orm::{
        ConnectionTrait,
        sea_query::{Expr, ExprTrait, Query},
    };

    let raw = database.raw().await;
    let count = Query::select().expr(Expr::cust("1").count()).from(table).take();
    let row = raw.query_one(&count).await.unwrap().unwrap();
    raw.close().await.unwrap();
    row.try_get_by_index(0).unwrap()
}
