//! What verifications leave behind: last uses, and digests under a newer pepper.

use std::time::Duration;

use domain::key::{Key, Sealed};
use keystile::{
    ports::{
        LoadKeys, PepperRecords, ReadLog, ReadServiceAccounts, Recording,
        recorder::{LastUse, Rehash},
        write::Write,
    },
    store::SqlStore,
};
use testkit::database::Database;

use crate::sample::{account, acme, at, insert_keys, key, key_id, populate, sealed, stored, write};

pub(crate) async fn last_use_only_moves_forward(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1), key(2)]).await;
    let used = |n, time| LastUse { key: key_id(n), secret_version: 1, time };
    store.record_uses(&[]).await.unwrap();
    let uses = [used(1, at(20)), used(1, at(30)), used(1, at(25)), used(9, at(40))];
    store.record_uses(&uses).await.unwrap();
    store.record_uses(&[used(1, at(10)), used(2, at(12))]).await.unwrap();

    let key = stored(store, key_id(1)).await;
    assert_eq!(key.last_used_time, Some(at(30)));
    assert_eq!(key.secrets[0].last_used_time, Some(at(30)));
    assert_eq!(key.revision, 2, "a use is no change");
    assert_eq!(stored(store, key_id(2)).await.last_used_time, Some(at(12)));
    let owner = store.service_account(&acme(), &"ci".parse().unwrap()).await;
    assert_eq!(owner.unwrap().unwrap().last_used_time, Some(at(30)));

    // A use of a secret that no longer exists still counts for its key.
    let gone = LastUse { key: key_id(1), secret_version: 7, time: at(90) };
    store.record_uses(&[gone]).await.unwrap();
    let key = stored(store, key_id(1)).await;
    assert_eq!(key.last_used_time, Some(at(90)));
    assert_eq!(key.secrets[0].last_used_time, Some(at(30)));
}

/// One call with uses of two secrets of one key, and of keys of two owners.
pub(crate) async fn keys_and_owners_have_the_latest_use_of_their_secrets(_: &Database, store: &SqlStore) {
    populate(store).await;
    write(store, vec![Write::insert(account("cd"))]).await;
    insert_keys(store, [key(1), key(2), Key { service_account: "cd".parse().unwrap(), ..key(3) }]).await;
    let rotated = stored(store, key_id(1)).await.rotate(sealed(9, 1), Duration::from_secs(60), at(10));
    write(store, vec![Write::update(rotated.unwrap())]).await;
    let used = |n, secret_version, time| LastUse { key: key_id(n), secret_version, time: at(time) };
    store.record_uses(&[used(1, 1, 30), used(1, 2, 20), used(2, 1, 25), used(3, 1, 40)]).await.unwrap();

    let key = stored(store, key_id(1)).await;
    assert_eq!(key.last_used_time, Some(at(30)));
    let times: Vec<_> = key.secrets.iter().map(|it| (it.version, it.last_used_time)).collect();
    assert_eq!(times, [(2, Some(at(20))), (1, Some(at(30)))]);
    for (owner, time) in [("ci", 30), ("cd", 40)] {
        let owner = store.service_account(&acme(), &owner.parse().unwrap()).await;
        assert_eq!(owner.unwrap().unwrap().last_used_time, Some(at(time)));
    }
    let ids = store.lately_used(10).await.unwrap();
    assert_eq!(ids, [key_id(3), key_id(1), key_id(2)]);
}

pub(crate) async fn the_most_recently_used_come_first(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..5).map(key)).await;
    assert!(store.lately_used(10).await.unwrap().is_empty());
    let used = |n, time| LastUse { key: key_id(n), secret_version: 1, time };
    let uses = [used(1, at(20)), used(3, at(40)), used(4, at(30))];
    store.record_uses(&uses).await.unwrap();
    let ids = store.lately_used(10).await.unwrap();
    assert_eq!(ids, [key_id(3), key_id(4), key_id(1)]);
    assert_eq!(store.lately_used(1).await.unwrap(), [key_id(3)]);
}

pub(crate) async fn many_uses_are_recorded_at_once(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, (0..250).map(key)).await;
    let uses: Vec<LastUse> =
        (0..250).map(|n| LastUse { key: key_id(n), secret_version: 1, time: at(60) }).collect();
    store.record_uses(&uses).await.unwrap();
    for n in [0, 99, 100, 249] {
        assert_eq!(stored(store, key_id(n)).await.last_used_time, Some(at(60)));
    }
}

/// A use and a rehash between the read and the write of an update are kept.
pub(crate) async fn an_update_keeps_recorded_uses_and_digests(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1)]).await;
    let read = stored(store, key_id(1)).await;
    let used = LastUse { key: read.id, secret_version: 1, time: at(60) };
    store.record_uses(&[used]).await.unwrap();
    store.rehash(&[rehash(1, 1, sealed(42, 2))]).await.unwrap();

    let rotated = read.rotate(sealed(3, 2), Duration::from_secs(60), at(70));
    write(store, vec![Write::update(rotated.unwrap())]).await;
    let key = stored(store, key_id(1)).await;
    assert_eq!(key.last_used_time, Some(at(60)));
    assert_eq!(key.secrets.len(), 2);
    assert_eq!(key.secrets[0].version, 2);
    let old = &key.secrets[1];
    assert_eq!((old.version, old.pepper), (1, 2));
    assert!(old.digest.matches(&sealed(42, 2).digest));
    assert_eq!(old.last_used_time, Some(at(60)));
    assert_eq!(old.expire_time, Some(at(130)));
}

pub(crate) async fn a_rehash_replaces_only_what_was_verified(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1), key(2)]).await;
    store.rehash(&[]).await.unwrap();
    let news = [
        // The stored pepper is no longer the one that was read.
        rehash(1, 5, sealed(50, 6)),
        rehash(2, 1, sealed(51, 2)),
        // The secret was rotated away, or the key purged.
        Rehash { secret_version: 9, ..rehash(1, 1, sealed(52, 2)) },
        rehash(3, 1, sealed(53, 2)),
    ];
    store.rehash(&news).await.unwrap();
    let first = &stored(store, key_id(1)).await.secrets[0];
    assert_eq!(first.pepper, 1);
    assert!(first.digest.matches(&sealed(1, 1).digest));
    let second = &stored(store, key_id(2)).await.secrets[0];
    assert_eq!(second.pepper, 2);
    assert!(second.digest.matches(&sealed(51, 2).digest));
    assert_eq!(store.pepper_usage().await.unwrap(), [(1, 1), (2, 1)]);
    assert_eq!(store.head().await.unwrap().revision, 2, "a rehash is no change");
    let loaded = store.load(&[key_id(2)]).await.unwrap();
    let digest = loaded.key(key_id(2)).unwrap().unwrap().key.secrets[0].digest;
    assert!(digest.matches(&sealed(51, 2).digest));
}

fn rehash(n: u64, replaces: u16, sealed: Sealed) -> Rehash {
    Rehash { key: key_id(n), secret_version: 1, replaces, sealed }
}
