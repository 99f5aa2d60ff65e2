//! What stands in the way of a deletion, and what goes with it.

use keystile::{
    domain::key::{Key, Revocation},
    ports::{
        Store,
        store::{Commit, CommitError, Expect, KeysOf, UsedBy, Write},
    },
    store::SqlStore,
};

use crate::{
    database::Database,
    sample::{account_id, acme, at, commit, insert_keys, key, key_id, populate, project, stored, write},
};

pub(crate) async fn keys_in_use_are_found(_: &Database, store: &SqlStore) {
    populate(store).await;
    let in_use = async |of: KeysOf, except_deleted: bool| {
        let change =
            Commit { expect: vec![Expect::NoKeys { project: acme(), of, except_deleted }], ..commit(vec![]) };
        match store.commit(change).await {
            Ok(_) => false,
            Err(CommitError::InUse(UsedBy::Keys)) => true,
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
