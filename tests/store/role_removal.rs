//! A deleted role leaves the keys that held it: in small commits, whole in the end, each key with an event of its own.

use std::{pin::pin, time::Duration};

use domain::{
    audit::Actor,
    key::{Deletion, Key},
    name::{KeyName, RoleName},
    removal::{Removal, Removed},
};
use keystile::{
    ports::{
        Cleanup, Commits, LoadRoles,
        cleanup::{Removable, RemovalCursor},
        commits::{Commit, CommitError, Expect, KeysOf},
        write::Write,
    },
    store::SqlStore,
    verbs::{Error, KeyPatch, NewRole, Round},
};
use testkit::database::Database;

use crate::{
    removal::{PORTION, Replica, call, left_behind, targets, trail},
    sample::{acme, at, commit, insert_keys, key, key_id, listed, populate, role, stored, write},
};

fn editor() -> RoleName {
    "projects/acme/roles/editor".parse().unwrap()
}

fn removal(role: &str) -> Removal {
    let name = format!("projects/acme/roles/{role}").parse().unwrap();
    Removal { of: Removed::Role(name), actor: Actor::Keystile, peer: "2001:db8::1".into() }
}

/// The `n`th key, which holds these.
fn holder(n: u64, roles: &[&str]) -> Key {
    Key { roles: roles.iter().map(|id| id.parse().unwrap()).collect(), ..key(n) }
}

async fn create(server: &Replica) -> Result<(), Error> {
    let new = NewRole {
        project: acme(),
        id: "editor".parse().unwrap(),
        display_name: "".parse().unwrap(),
        description: "".parse().unwrap(),
        permissions: vec!["documents.write".parse().unwrap()],
        endpoints: vec![],
    };
    server.service.create_role(&call(), new).await.map(drop)
}

pub(crate) async fn a_role_leaves_its_keys_in_small_commits(database: &Database, store: &SqlStore) {
    const KEYS: usize = 230;

    let server = Replica::on(database).await;
    server.populate(0).await;
    create(&server).await.unwrap();
    let deletion = |n: u64| n.is_multiple_of(10).then_some(Deletion { time: at(5), purge_time: at(9_000) });
    let keys = (0..KEYS as u64).map(|n| Key { deletion: deletion(n), ..holder(n, &["editor", "viewer"]) });
    insert_keys(store, keys.clone()).await;
    insert_keys(store, [holder(900, &["viewer"])]).await;
    server.forget();

    server.service.delete_role(&call(), &editor(), "", true).await.unwrap();
    assert!(store.load_roles(&acme(), &[editor().role]).await.unwrap().roles.is_empty(), "it grants nothing");
    let done = targets(&trail(store).await, "keys.remove_role");
    assert_eq!(done, 3 * PORTION, "the call removes three portions, and leaves the others to later");

    // Until the removal is finished, the id cannot be used.
    let again = create(&server).await;
    assert!(matches!(&again, Err(Error::DeletionUnderWay { resource }) if *resource == editor().to_string()));
    let patch = KeyPatch { roles: Some(vec![editor().role]), ..Default::default() };
    let name = KeyName { project: acme(), key: key_id(900) };
    let given = server.service.update_key(&call(), &name, "", &patch).await;
    assert!(matches!(&given, Err(Error::Invalid(faults)) if faults[0].field == "key.roles"), "{given:?}");

    // The call wakes housekeeping; here, another process does the rest.
    tokio::time::timeout(Duration::from_secs(30), server.service.left_over()).await.expect("it is woken");
    let other = Replica::on(database).await;
    assert_eq!(other.keep_house().await.removed(), KEYS - done);
    assert_eq!(server.largest_commit().max(other.largest_commit()), PORTION);
    // Only the changed columns of a key and one term are written, in two statements.
    let writes = other.writes();
    for (what, times) in [("UPDATE keys SET", KEYS - done), ("DELETE FROM key_terms", KEYS - done)] {
        assert_eq!(writes.get(what), Some(&times), "{writes:?}");
    }
    assert!(!writes.keys().any(|what| what.contains("secrets")), "{writes:?}");
    assert_eq!(targets(&trail(store).await, "keys.remove_role"), KEYS);
    assert!(listed(store, "roles:editor", "", 1_000).await.is_empty());
    for before in keys {
        let after = stored(store, before.id).await;
        let viewer = vec!["viewer".parse().unwrap()];
        let expected = Key { roles: viewer, update_time: at(1_000), revision: after.revision, ..before };
        assert_eq!(format!("{after:?}"), format!("{expected:?}"));
    }
    assert_eq!(stored(store, key_id(900)).await.roles.len(), 1);
    assert!(store.removals(None, 1).await.unwrap().is_empty());
    create(&server).await.unwrap();
    server.close().await;
    other.close().await;
}

pub(crate) async fn replicas_take_a_role_from_its_keys_side_by_side(database: &Database, store: &SqlStore) {
    const KEYS: usize = 310;

    let (one, two) = (Replica::on(database).await, Replica::on(database).await);
    one.populate(0).await;
    create(&one).await.unwrap();
    insert_keys(store, (0..KEYS as u64).map(|n| holder(n, &["editor"]))).await;
    one.service.delete_role(&call(), &editor(), "", true).await.unwrap();
    tokio::join!(one.keep_house(), two.keep_house());
    // A replica that conflicted too often leaves the removal to the other one.
    one.keep_house().await;
    assert_eq!(targets(&trail(store).await, "keys.remove_role"), KEYS);
    assert!(store.removals(None, 1).await.unwrap().is_empty());
    one.close().await;
    two.close().await;
}

/// A role is deleted together with the account or the project of its keys, before either removal is finished.
pub(crate) async fn removals_of_the_same_keys_meet(database: &Database, store: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
    create(&server).await.unwrap();
    let keys = |from: u64| (from..from + 60).map(|n| Key { account_generation: 3, ..holder(n, &["editor"]) });
    insert_keys(store, keys(0)).await;
    write(store, vec![Write::BeginRemoval(left_behind(3)), Write::BeginRemoval(removal("editor"))]).await;
    let mut round = Round::default();
    assert!(!server.service.keep_house(&mut round, pin!(std::future::pending::<()>())).await.unwrap());
    for n in 0..60 {
        let key = stored(store, key_id(n)).await;
        assert!(key.roles.is_empty() && key.deletion.is_some(), "{key:?}");
    }
    insert_keys(store, keys(100)).await;
    server.service.delete_role(&call(), &editor(), "", true).await.unwrap();
    server.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    server.keep_house().await;
    server.keep_house().await;
    assert!(store.removals(None, 10).await.unwrap().is_empty());
    assert_eq!(crate::ends::rows(database, "role_removals").await, 0);
    assert_eq!(crate::ends::rows(database, "roles").await, 0);
    server.close().await;
}

/// Each custom role has an event of its own; the built-in ones have none, as when they were created.
pub(crate) async fn the_roles_of_a_project_follow_it(database: &Database, store: &SqlStore) {
    let server = Replica::on(database).await;
    server.populate(0).await;
    let roles = (0..120).map(|n| Write::insert(role(&format!("role-{n}"))));
    write(store, roles.collect()).await;
    server.forget();
    server.service.delete_project(&call(), &acme(), "", true).await.unwrap();
    server.keep_house().await;
    assert_eq!(targets(&trail(store).await, "roles.delete"), 120);
    assert_eq!(server.largest_commit(), PORTION);
    assert_eq!(crate::ends::rows(database, "roles").await, 0);
    assert!(store.removals(None, 1).await.unwrap().is_empty());
    server.close().await;
}

pub(crate) async fn a_role_removal_reads_back_until_no_key_holds_it(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [holder(1, &["a", "b"]), holder(2, &["b"]), holder(3, &["c"])]).await;
    let other = RoleName { project: "other".parse().unwrap(), ..editor() };
    // Nothing is recorded for a role that no key holds.
    write(store, ["b", "none", "a"].map(|role| Write::BeginRemoval(removal(role))).into()).await;
    write(store, vec![Write::BeginRemoval(left_behind(8)), Write::BeginRemoval(left_behind(7))]).await;
    let expected = [left_behind(7), left_behind(8), removal("a"), removal("b")];
    for size in 1..=5 {
        let (mut found, mut after): (Vec<_>, Option<RemovalCursor>) = (Vec::new(), None);
        loop {
            let page = store.removals(after.as_ref(), size).await.unwrap();
            assert!(page.len() as u64 <= size);
            let Some(last) = page.last() else { break };
            after = Some(last.cursor.clone());
            found.extend(page.into_iter().map(|it| it.removal.unwrap()));
        }
        assert_eq!(found, expected, "{size}");
    }

    let expect = async |name: RoleName| {
        store.commit(Commit { expect: vec![Expect::NoRemoval(name)], ..commit(vec![]) }).await
    };
    let a: RoleName = "projects/acme/roles/a".parse().unwrap();
    for free in [editor(), other, "projects/acme/roles/none".parse().unwrap()] {
        expect(free).await.unwrap();
    }
    assert!(matches!(expect(a.clone()).await, Err(CommitError::DeletionUnderWay)));
    store.finish(&removal("a")).await.unwrap();
    assert!(matches!(expect(a.clone()).await, Err(CommitError::DeletionUnderWay)), "a key holds it");
    let left = stored(store, key_id(1)).await.without_role(&a.role, at(50));
    write(store, vec![Write::TakeRole(left.clone(), a.role.clone())]).await;
    assert_eq!(stored(store, key_id(1)).await.roles, ["b".parse().unwrap()]);
    let stale = crate::sample::refused(store, vec![Write::TakeRole(left, a.role.clone())]).await;
    assert!(matches!(stale, CommitError::Conflict), "{stale:?}");
    store.finish(&removal("a")).await.unwrap();
    expect(a).await.unwrap();
    let left: Vec<_> =
        store.removals(None, 10).await.unwrap().into_iter().map(|it| it.removal.unwrap()).collect();
    assert_eq!(left, [left_behind(7), left_behind(8), removal("b")]);
}

pub(crate) async fn holders_of_a_role_are_found(_: &Database, store: &SqlStore) {
    populate(store).await;
    let deleted = Key { deletion: Some(Deletion { time: at(5), purge_time: at(60) }), ..holder(3, &["a"]) };
    let system = Key { protected: true, ..holder(4, &["c"]) };
    insert_keys(store, [holder(2, &["a", "b"]), holder(1, &["a"]), deleted, system]).await;
    let in_use = async |role: &str, except_deleted, now| {
        let of = KeysOf::Role(role.parse().unwrap());
        let none = Expect::NoKeys { project: acme(), of, except_deleted, now: at(now) };
        match store.commit(Commit { expect: vec![none], ..commit(vec![]) }).await {
            Ok(_) => false,
            Err(CommitError::InUse(_)) => true,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(in_use("a", true, 50).await && in_use("b", true, 50).await);
    assert!(in_use("c", true, 50).await, "a system key counts as well");
    assert!(!in_use("d", false, 50).await);
    for key in [1, 2] {
        let key = stored(store, key_id(key)).await;
        write(store, vec![Write::update(Key { roles: vec![], ..key })]).await;
    }
    assert!(!in_use("a", true, 50).await);
    assert!(in_use("a", false, 59).await && !in_use("a", false, 60).await);
}

pub(crate) async fn holders_of_a_role_are_walked_by_id(_: &Database, store: &SqlStore) {
    populate(store).await;
    let foreign = Key { project: "other".parse().unwrap(), ..holder(9, &["editor"]) };
    write(store, vec![Write::insert(crate::sample::project("other"))]).await;
    let owner = domain::service_account::ServiceAccount {
        project: "other".parse().unwrap(),
        ..crate::sample::account("ci")
    };
    write(store, vec![Write::insert(owner)]).await;
    let keys = [4, 1, 3, 2].map(|n| Key { create_time: at(100 - n as i64), ..holder(n, &["editor"]) });
    insert_keys(store, keys.into_iter().chain([holder(5, &["viewer"]), foreign])).await;
    let removed = Removed::Role(editor());
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let rows = store.keys_to_remove(Removable::LeftBehind(&removed), after, 3).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.cursor.clone());
        walked.extend(rows.into_iter().map(|row| row.key.unwrap().id));
    }
    assert_eq!(walked, [1, 2, 3, 4].map(key_id));
}
