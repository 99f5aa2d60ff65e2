//! Loads: what verifications need of one key or several, read at one instant.

use domain::{id::KeyId, key::Key, service_account::ServiceAccount};
use keystile::{
    ports::{
        LoadKeys, ReadKeys, ReadLog, ReadServiceAccounts, StoreError,
        load::{LOADED_TOGETHER, Loaded, LoadedKey},
        write::Write,
    },
    store::SqlStore,
};
use testkit::database::{Database, Kind};

use crate::{
    resources::{assert_same, full_key},
    sample::{account, account_id, acme, at, insert_keys, key, key_id, populate, sealed, write},
};

/// Loads one key, with the revision of the read.
pub(crate) async fn load(store: &SqlStore, id: KeyId) -> Result<(Option<LoadedKey>, i64), StoreError> {
    let loaded = store.load(&[id]).await?;
    assert!(loaded.keys.keys().all(|it| *it == id));
    Ok((loaded.key(id)?.cloned(), loaded.head.revision))
}

pub(crate) async fn a_loaded_key_has_its_owner(_: &Database, store: &SqlStore) {
    let (found, revision) = load(store, key_id(1)).await.unwrap();
    assert!(found.is_none());
    assert_eq!(revision, 0);

    populate(store).await;
    let full = full_key();
    insert_keys(store, [full.clone()]).await;
    let (found, revision) = load(store, full.id).await.unwrap();
    assert_eq!(revision, 2);
    let candidate = found.unwrap();
    assert!(!candidate.owner_disabled);
    assert_same(&candidate.key, &Key { revision: 2, ..full.clone() });

    let owner = store.service_account(&acme(), &account_id("ci")).await;
    let disabled = owner.unwrap().unwrap().disable(at(50)).unwrap();
    write(store, vec![Write::update(disabled)]).await;
    let (found, revision) = load(store, full.id).await.unwrap();
    assert_eq!(revision, 3);
    assert!(found.unwrap().owner_disabled);

    let gone = Write::delete(ServiceAccount { revision: 3, ..account("ci") });
    write(store, vec![gone]).await;
    let (found, _) = load(store, full.id).await.unwrap();
    assert!(found.is_none(), "the key counts as deleted");

    // A later account with the same id.
    write(store, vec![Write::insert(ServiceAccount { generation: 8, ..account("ci") })]).await;
    let (found, _) = load(store, full.id).await.unwrap();
    assert!(found.is_none());

    let (found, revision) = load(store, key_id(99)).await.unwrap();
    assert!(found.is_none());
    assert_eq!(revision, 5);
}

/// However many keys one load asks for, it distinguishes those that exist from those that do not.
pub(crate) async fn several_keys_are_loaded_at_once(_: &Database, store: &SqlStore) {
    populate(store).await;
    write(store, vec![Write::insert(account("other"))]).await;
    let two = |n: u64| Key { secrets: vec![sealed_secret(n, 2), sealed_secret(n, 1)], ..key(n) };
    let other = |n| Key { service_account: account_id("other"), ..two(n) };
    insert_keys(store, (0..100).map(|n| if n % 3 == 0 { other(n) } else { two(n) })).await;
    let owner = store.service_account(&acme(), &account_id("other")).await;
    let disabled = owner.unwrap().unwrap().disable(at(50)).unwrap();
    write(store, vec![Write::update(disabled)]).await;
    let head = store.head().await.unwrap();
    for number in [1, 2, 4, 5, 16, 17, LOADED_TOGETHER] {
        // Some of them do not exist.
        let ids: Vec<_> = (0..number as u64).map(|n| key_id(n * 3 / 2 + 50)).collect();
        let loaded = store.load(&ids).await.unwrap();
        assert_eq!(loaded.head, head);
        for (n, id) in (0..).map(|n: u64| n * 3 / 2 + 50).zip(&ids) {
            let found = loaded.key(*id).unwrap();
            assert_eq!(found.is_some(), n < 100, "{n} of {number}");
            let Some(found) = found else { continue };
            let stored = store.key(&acme(), *id).await.unwrap().unwrap();
            assert_same(&found.key, &stored);
            assert_eq!(found.key.secrets.len(), 2);
            assert_eq!(found.owner_disabled, n % 3 == 0, "{n} of {number}");
        }
    }
}

/// The error of a damaged row names the column, without its value, and no other key fails.
pub(crate) async fn a_damaged_key_fails_no_other(database: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..3).map(key)).await;
    let table = if database.kind == Kind::MySql { "`keys`" } else { "keys" };
    let damage = format!("UPDATE {table} SET tags = '[\"not a tag\"]', display_name = 'damaged'");
    database.execute(&format!("{damage} WHERE display_name = '{}'", key(1).display_name)).await;
    let loaded = store.load(&[key_id(0), key_id(1), key_id(2)]).await.unwrap();
    let damaged = |loaded: &Loaded, n| loaded.key(key_id(n)).is_err();
    assert!(damaged(&loaded, 1) && !damaged(&loaded, 0) && !damaged(&loaded, 2));
    let error = loaded.key(key_id(1)).unwrap_err();
    assert!(matches!(&error, StoreError::Broken(why) if why.contains("keys.tags")), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("not a tag"), "{error:?}");
}

fn sealed_secret(n: u64, version: i32) -> domain::key::StoredSecret {
    domain::key::StoredSecret::new(version, sealed(u8::try_from(n).unwrap(), 1), at(10))
}
