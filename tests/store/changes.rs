//! A change goes through whole, in its place in the order of changes, or leaves nothing.

use keystile::{
    domain::{
        audit::GENESIS,
        key::{Key, Revocation},
        project::Project,
        service_account::ServiceAccount,
    },
    ports::{
        Store,
        store::{Commit, CommitError, Existing, Expect, KeysOf, Remembered, Write},
    },
    store::SqlStore,
};

use crate::{
    database::Database,
    sample::{
        account, account_id, acme, at, change, commit, insert_keys, key, key_id, populate, project, refused,
        stored, write,
    },
};

pub(crate) async fn the_log_begins_at_its_genesis(_: &Database, store: &SqlStore) {
    let head = store.head().await.unwrap();
    assert_eq!((head.revision, head.hash), (0, GENESIS));
    assert!(store.events_from(1, 10).await.unwrap().is_empty());
    store.ping().await.unwrap();
}

pub(crate) async fn what_exists_is_told_apart(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let mut request = commit(vec![]);
    request.remember = Some(remembered(1));
    store.commit(request).await.unwrap();

    let elsewhere = Key { project: "other".parse().unwrap(), ..key(1) };
    write(store, vec![Write::InsertProject(project("other"))]).await;
    for (attempt, expected) in [
        (Write::InsertProject(project("acme")), Existing::Project),
        (Write::InsertServiceAccount(account("ci")), Existing::ServiceAccount),
        (Write::InsertKey(key(1)), Existing::Key),
        (Write::InsertKey(elsewhere), Existing::Key),
    ] {
        let error = refused(store, vec![attempt]).await;
        assert!(matches!(error, CommitError::Exists(existing) if existing == expected), "{error:?}");
    }
    // A request that runs twice is known as such, whatever else it collides with.
    let mut request = commit(vec![Write::InsertKey(key(1))]);
    request.remember = Some(remembered(1));
    let error = store.commit(request).await.unwrap_err();
    assert!(matches!(error, CommitError::Exists(Existing::Request)), "{error:?}");
}

pub(crate) async fn a_stale_revision_is_a_conflict(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let read = stored(store, key_id(1)).await;
    write(store, vec![Write::UpdateKey(read.clone())]).await;
    let stale = vec![
        Write::UpdateKey(read.clone()),
        Write::PurgeKey { project: acme(), id: read.id, revision: read.revision },
        Write::UpdateKey(Key {
            project: "other".parse().unwrap(),
            revision: read.revision + 1,
            ..read.clone()
        }),
        Write::UpdateKey(Key { revision: 1, ..key(2) }),
        Write::UpdateProject(Project { revision: 9, ..project("acme") }),
        Write::DeleteProject { id: acme(), revision: 9 },
        Write::UpdateServiceAccount(ServiceAccount { revision: 9, ..account("ci") }),
        Write::DeleteServiceAccount { project: acme(), id: account_id("ci"), revision: 9 },
    ];
    for attempt in stale {
        let error = refused(store, vec![attempt]).await;
        assert!(matches!(error, CommitError::Conflict), "{error:?}");
    }
    assert_eq!(store.head().await.unwrap().revision, 3);
}

pub(crate) async fn a_refused_change_leaves_nothing(_: &Database, store: &SqlStore) {
    populate(store).await;
    let before = store.head().await.unwrap();
    let change = Commit {
        writes: vec![
            Write::InsertServiceAccount(account("new")),
            Write::InsertKey(key(1)),
            Write::InsertKey(key(2)),
            Write::InsertKey(key(1)),
        ],
        remember: Some(remembered(1)),
        ..commit(vec![])
    };
    store.commit(change).await.expect_err("one key is there twice");
    nothing_happened(store).await;
    assert_eq!(store.head().await.unwrap(), before);
    assert_eq!(write(store, vec![]).await, before.revision + 1);
}

pub(crate) async fn a_trial_leaves_nothing(_: &Database, store: &SqlStore) {
    populate(store).await;
    let before = store.head().await.unwrap();
    let trial = |writes| Commit { remember: Some(remembered(1)), validate_only: true, ..commit(writes) };
    let insert = || vec![Write::InsertServiceAccount(account("new")), Write::InsertKey(key(1))];
    store.commit(trial(insert())).await.unwrap();
    nothing_happened(store).await;
    assert_eq!(store.head().await.unwrap(), before);

    let again = vec![Write::InsertServiceAccount(account("ci"))];
    let error = store.commit(trial(again)).await.unwrap_err();
    assert!(matches!(error, CommitError::Exists(Existing::ServiceAccount)));
}

async fn nothing_happened(store: &SqlStore) {
    let account = store.service_account(&acme(), &account_id("new")).await;
    assert!(account.unwrap().is_none());
    for n in [1, 2] {
        assert!(store.key(&acme(), key_id(n)).await.unwrap().is_none());
    }
    assert!(store.remembered(&[1; 32]).await.unwrap().is_none());
    assert!(store.pepper_usage().await.unwrap().is_empty());
    assert_eq!(store.events_from(1, 10).await.unwrap().len(), 1);
}

pub(crate) async fn expectations_are_checked_in_the_change(_: &Database, store: &SqlStore) {
    populate(store).await;
    let expect = async |expect: Vec<Expect>| {
        let change = Commit { expect, ..commit(vec![]) };
        store.commit(change).await
    };

    expect(vec![Expect::ServiceAccount(acme(), account_id("ci"))]).await.unwrap();
    let gone = expect(vec![Expect::ServiceAccount(acme(), account_id("gone"))]).await;
    assert!(matches!(gone, Err(CommitError::OwnerGone)));
    let foreign = Expect::ServiceAccount("other".parse().unwrap(), account_id("ci"));
    assert!(matches!(expect(vec![foreign]).await, Err(CommitError::OwnerGone)));

    expect(vec![Expect::ProjectUnchanged(acme(), 1)]).await.unwrap();
    for stale in [Expect::ProjectUnchanged(acme(), 2), Expect::ProjectUnchanged("other".parse().unwrap(), 1)]
    {
        assert!(matches!(expect(vec![stale]).await, Err(CommitError::Conflict)));
    }

    let in_use = expect(vec![Expect::NoServiceAccounts(acme())]).await;
    assert!(matches!(in_use, Err(CommitError::InUse)));
    let gone = Write::DeleteServiceAccount { project: acme(), id: account_id("ci"), revision: 1 };
    let system = ServiceAccount { protected: true, ..account("system") };
    write(store, vec![gone, Write::InsertServiceAccount(system)]).await;
    expect(vec![Expect::NoServiceAccounts(acme())]).await.unwrap();
}

pub(crate) async fn keys_in_use_are_found(_: &Database, store: &SqlStore) {
    populate(store).await;
    let in_use = async |of: KeysOf, except_deleted: bool| {
        let change =
            Commit { expect: vec![Expect::NoKeys { project: acme(), of, except_deleted }], ..commit(vec![]) };
        match store.commit(change).await {
            Ok(_) => false,
            Err(CommitError::InUse) => true,
            Err(other) => panic!("{other:?}"),
        }
    };
    let all = || {
        [
            KeysOf::Project,
            KeysOf::ServiceAccount(account_id("ci")),
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
    assert!(!in_use(KeysOf::ServiceAccount(account_id("other")), false).await);
    assert!(!in_use(KeysOf::Environment("staging".parse().unwrap()), false).await);

    let deleted = stored(store, key_id(2)).await;
    let deleted = deleted.delete(Default::default(), at(20)).unwrap();
    write(store, vec![Write::UpdateKey(deleted)]).await;
    for of in all() {
        assert!(in_use(of, false).await);
    }
    for of in all() {
        assert!(!in_use(of, true).await);
    }
}

pub(crate) async fn keys_go_with_their_owner(_: &Database, store: &SqlStore) {
    populate(store).await;
    let early =
        Key { deletion: Some(keystile::domain::key::Deletion { time: at(5), purge_time: at(6) }), ..key(2) };
    let revoked = Key { revocation: Some(Revocation { time: at(5), reason: Default::default() }), ..key(3) };
    let other = Key { service_account: account_id("other"), ..key(4) };
    insert_keys(store, [key(1), early, revoked, other]).await;
    let changes = vec![
        Write::DeleteKeysOf {
            project: acme(),
            service_account: account_id("ci"),
            time: at(50),
            purge_time: at(60),
        },
        Write::DeleteServiceAccount { project: acme(), id: account_id("ci"), revision: 1 },
    ];
    assert_eq!(write(store, changes).await, 3);
    for n in [1, 3] {
        let key = stored(store, key_id(n)).await;
        let deletion = key.deletion.unwrap();
        assert_eq!((deletion.time, deletion.purge_time), (at(50), at(60)));
        assert_eq!((key.update_time, key.revision), (at(50), 3));
    }
    let early = stored(store, key_id(2)).await;
    assert_eq!((early.deletion.unwrap().time, early.revision), (at(5), 2));
    assert!(stored(store, key_id(4)).await.deletion.is_none());

    let purgeable = store.purgeable_keys(at(59), 10).await.unwrap();
    let ids: Vec<_> = purgeable.iter().map(|key| key.id).collect();
    assert_eq!(ids, [key_id(2)]);
    let purgeable = store.purgeable_keys(at(60), 2).await.unwrap();
    let ids: Vec<_> = purgeable.iter().map(|key| key.id).collect();
    assert_eq!(ids, [key_id(2), key_id(1)]);
    assert_eq!(purgeable[1].secrets.len(), 1);
}

pub(crate) async fn a_purged_key_leaves_nothing(database: &Database, store: &SqlStore) {
    populate(store).await;
    let tagged = Key { tags: vec!["core".parse().unwrap()], ..key(1) };
    insert_keys(store, [tagged, key(2)]).await;
    let purge = Write::PurgeKey { project: acme(), id: key_id(1), revision: 2 };
    write(store, vec![purge]).await;
    assert!(store.key(&acme(), key_id(1)).await.unwrap().is_none());
    assert_eq!(rows(database, "secrets").await, 1);
    assert_eq!(rows(database, "key_terms").await, 2);
}

pub(crate) async fn a_deleted_project_leaves_nothing_but_its_log(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1), key(2)]).await;
    write(store, vec![Write::InsertProject(project("other"))]).await;
    write(store, vec![Write::DeleteProject { id: acme(), revision: 1 }]).await;
    for table in ["keys", "secrets", "key_terms", "service_accounts"] {
        assert_eq!(rows(database, table).await, 0, "{table}");
    }
    assert_eq!(rows(database, "projects").await, 1);
    assert_eq!(rows(database, "audit_events").await, 4);
}

pub(crate) async fn requests_are_remembered_for_a_while(_: &Database, store: &SqlStore) {
    for (n, time) in [(1, at(10)), (2, at(20))] {
        let mut request = commit(vec![]);
        request.remember = Some(Remembered { time, ..remembered(n) });
        request.change = change("projects/acme/keys/1");
        store.commit(request).await.unwrap();
    }
    let found = store.remembered(&[1; 32]).await.unwrap();
    assert_eq!(found, Some(Remembered { time: at(10), ..remembered(1) }));
    store.forget_requests(at(20)).await.unwrap();
    assert!(store.remembered(&[1; 32]).await.unwrap().is_none());
    assert!(store.remembered(&[2; 32]).await.unwrap().is_some());
}

fn remembered(n: u8) -> Remembered {
    Remembered { id: [n; 32], fingerprint: [n + 100; 32], target: "projects/acme/keys/1".into(), time: at(1) }
}

async fn rows(database: &Database, table: &'static str) -> i64 {
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
