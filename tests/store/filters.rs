//! Every filter of keys, and the states of keys at an instant.

use domain::{
    filter::Filter,
    key::{Deletion, Key, Revocation},
    query::KeyTest,
    time::Timestamp,
};
use keystile::{
    ports::{
        ReadKeys,
        keys::{KeyCounts, KeyQuery},
    },
    store::SqlStore,
};
use testkit::database::Database;

use crate::{
    listing::numbers,
    sample::{NOW, account_id, at, by_creation, insert_keys, key, listed, populate, query},
};

/// The keys that pass `filter`, by their numbers.
async fn found(store: &SqlStore, filter: &str) -> Vec<u128> {
    numbers(&listed(store, filter, "", 100).await)
}

pub(crate) async fn keys_are_filtered_by_each_field(_: &Database, store: &SqlStore) {
    populate(store).await;
    let keys = [
        Key {
            environment: "staging".parse().unwrap(),
            display_name: "Billing service".parse().unwrap(),
            tags: vec!["core".parse().unwrap(), "a:b".parse().unwrap()],
            ..key(1)
        },
        Key {
            service_account: account_id("other"),
            display_name: "bill-payer ÉCOLE".parse().unwrap(),
            tags: vec!["Core".parse().unwrap()],
            ..key(2)
        },
        Key { display_name: "Mobile".parse().unwrap(), ..key(3) },
    ];
    insert_keys(store, keys).await;
    for (filter, expected) in [
        ("", &[1_u128, 2, 3] as &[_]),
        ("environment = staging", &[1]),
        ("environment != staging", &[2, 3]),
        ("environment = development", &[]),
        ("service_account = projects/acme/serviceAccounts/other", &[2]),
        ("service_account != projects/acme/serviceAccounts/other", &[1, 3]),
        ("service_account = projects/beta/serviceAccounts/other", &[]),
        ("service_account != projects/beta/serviceAccounts/other", &[1, 2, 3]),
        ("display_name = Mobile", &[3]),
        ("display_name = mobile", &[]),
        ("display_name = \"Mobile \"", &[]),
        ("display_name = \"Mobile\u{0}\"", &[]),
        ("NOT display_name = \"Mobile\u{0}\"", &[1, 2, 3]),
        ("display_name != Mobile", &[1, 2]),
        ("display_name:bill", &[1, 2]),
        ("display_name:BILL", &[1, 2]),
        ("display_name:billing", &[1]),
        ("display_name:\"serv bill\"", &[1]),
        ("display_name:\"bill billing\"", &[1]),
        ("display_name:\"b bil bill b\"", &[1, 2]),
        ("display_name:\"pay bill école\"", &[2]),
        ("display_name:\"bill mobile\"", &[]),
        ("NOT display_name:\"serv bill\"", &[2, 3]),
        ("display_name:école", &[2]),
        ("display_name:ill", &[]),
        ("NOT display_name:bill", &[3]),
        ("tags:core", &[1]),
        ("tags:Core", &[2]),
        ("tags:\"a:b\"", &[1]),
        ("tags:a", &[]),
        ("NOT tags:core", &[2, 3]),
        ("tags:core OR tags:Core", &[1, 2]),
        ("tags:core AND tags:Core", &[]),
        ("NOT (tags:core OR display_name:mob)", &[2]),
        ("(display_name:bill AND NOT tags:core) OR environment = staging", &[1, 2]),
        ("NOT NOT NOT display_name:bill", &[3]),
    ] {
        assert_eq!(found(store, filter).await, expected, "{filter}");
    }
    let none = Filter::Any(vec![]);
    assert!(store.keys(query(&none), by_creation(9)).await.unwrap().is_empty());
    let all = Filter::<KeyTest>::Not(Box::new(none));
    assert_eq!(store.keys(query(&all), by_creation(9)).await.unwrap().len(), 3);
}

/// An unset time compares as it sorts: "never expires" is after, and "never used" before, all others.
pub(crate) async fn keys_are_filtered_by_their_times(_: &Database, store: &SqlStore) {
    populate(store).await;
    let timed = |n, create, update, expire, used: Option<i64>| Key {
        create_time: at(create),
        update_time: at(update),
        expire_time: expire,
        last_used_time: used.map(at),
        ..key(n)
    };
    let keys = [
        timed(1, 10, 30, None, None),
        timed(2, 20, 40, Some(at(2_000_000)), Some(500)),
        timed(3, 30, 50, Some(at(3_000_000)), Some(600)),
    ];
    insert_keys(store, keys).await;
    for (filter, expected) in [
        ("create_time = \"1970-01-01T00:00:20Z\"", &[2_u128] as &[_]),
        ("create_time != \"1970-01-01T00:00:20Z\"", &[1, 3]),
        ("create_time < \"1970-01-01T00:00:20Z\"", &[1]),
        ("create_time <= \"1970-01-01T00:00:20Z\"", &[1, 2]),
        ("create_time > \"1970-01-01T00:00:20Z\"", &[3]),
        ("create_time >= \"1970-01-01T00:00:20Z\"", &[2, 3]),
        ("create_time > \"1970-01-01T00:00:19.999999Z\"", &[2, 3]),
        ("update_time >= \"1970-01-01T00:00:40Z\"", &[2, 3]),
        ("expire_time < \"1970-01-30T00:00:00Z\"", &[2]),
        ("expire_time > \"1970-01-30T00:00:00Z\"", &[1, 3]),
        ("last_used_time < \"1970-01-01T00:10:00Z\"", &[1, 2]),
        ("last_used_time >= \"1970-01-01T00:10:00Z\"", &[3]),
    ] {
        assert_eq!(found(store, filter).await, expected, "{filter}");
    }
}

/// One key in every state, two around the instant of their expiry, and two around that of their purge.
async fn one_in_each_state(store: &SqlStore) {
    let deletion = Some(Deletion { time: at(5), purge_time: Timestamp::from_micros(NOW.as_micros() + 1) });
    let purged = Some(Deletion { time: at(5), purge_time: NOW });
    let revocation = Some(Revocation { time: at(5), reason: Default::default() });
    let expired = Some(at(20));
    let keys = [
        key(1),
        Key { disable_time: Some(at(5)), expire_time: expired, ..key(2) },
        Key { revocation: revocation.clone(), disable_time: Some(at(5)), expire_time: expired, ..key(3) },
        Key { expire_time: Some(NOW), ..key(4) },
        Key { deletion, revocation, disable_time: Some(at(5)), expire_time: expired, ..key(5) },
        Key { expire_time: Some(Timestamp::from_micros(NOW.as_micros() + 1)), ..key(6) },
        Key { deletion, ..key(7) },
        Key { deletion: purged, ..key(8) },
    ];
    insert_keys(store, keys).await;
}

pub(crate) async fn states_are_as_of_the_instant(_: &Database, store: &SqlStore) {
    populate(store).await;
    one_in_each_state(store).await;
    for (filter, expected) in [
        ("state = ACTIVE", &[1_u128, 6] as &[_]),
        ("state = DISABLED", &[2]),
        ("state = REVOKED", &[3]),
        ("state = EXPIRED", &[4]),
        ("state = DELETED", &[]),
        ("state != ACTIVE", &[2, 3, 4]),
        ("state = ACTIVE OR state = EXPIRED", &[1, 4, 6]),
    ] {
        assert_eq!(found(store, filter).await, expected, "{filter}");
    }
    for state in domain::key::State::ALL {
        let filter = Filter::Test(KeyTest::State(state));
        let query = KeyQuery { show_deleted: true, ..query(&filter) };
        for key in store.keys(query, by_creation(9)).await.unwrap() {
            assert_eq!(key.state(NOW), state, "{:?}", key.id);
        }
    }
    let everything = Filter::everything();
    let with_deleted = KeyQuery { show_deleted: true, ..query(&everything) };
    let keys = store.keys(with_deleted, by_creation(9)).await.unwrap();
    assert_eq!(numbers(&keys), [1, 2, 3, 4, 5, 6, 7]);
}

pub(crate) async fn counts_are_as_of_the_instant(_: &Database, store: &SqlStore) {
    populate(store).await;
    let everything = Filter::everything();
    let none = store.count_keys(query(&everything)).await.unwrap();
    assert_eq!(none, KeyCounts::default());
    one_in_each_state(store).await;
    let expected = KeyCounts { active: 2, disabled: 1, revoked: 1, expired: 1, deleted: 2 };
    assert_eq!(store.count_keys(query(&everything)).await.unwrap(), expected);

    let a_moment_later = KeyQuery { now: Timestamp::from_micros(NOW.as_micros() + 1), ..query(&everything) };
    let counts = store.count_keys(a_moment_later).await.unwrap();
    assert_eq!((counts.active, counts.expired, counts.deleted), (1, 2, 0));
    let a_moment_before = KeyQuery { now: Timestamp::from_micros(NOW.as_micros() - 1), ..query(&everything) };
    let counts = store.count_keys(a_moment_before).await.unwrap();
    assert_eq!((counts.active, counts.expired, counts.deleted), (3, 0, 3));

    let some = domain::query::key_filter("NOT state = DISABLED").unwrap();
    let counts = store.count_keys(query(&some)).await.unwrap();
    assert_eq!(counts, KeyCounts { disabled: 0, ..expected });
}
