//! Listing keys: every filter, every order, pages without gaps or repeats.

use keystile::{
    domain::{
        filter::Filter,
        id::KeyId,
        key::{Deletion, Key, Revocation},
        listing::{KeyOrder, KeyTest},
        page::{Cursor, Id, Page, SortValue},
        time::Timestamp,
    },
    ports::{
        Store,
        store::{KeyCounts, KeyQuery},
    },
    store::SqlStore,
};

use crate::{
    database::Database,
    sample::{NOW, account_id, at, by_creation, insert_keys, key, key_id, listed, populate, query},
};

/// The keys that pass `filter`, by their numbers.
async fn found(store: &SqlStore, filter: &str) -> Vec<u128> {
    numbers(&listed(store, filter, "", 100).await)
}

fn numbers(keys: &[Key]) -> Vec<u128> {
    let number = |key: &Key| key.id.as_uuid().as_u128() & 0xffff_ffff;
    keys.iter().map(number).collect()
}

pub(crate) async fn keys_are_filtered_by_what_they_are(_: &Database, store: &SqlStore) {
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
        ("display_name:école", &[2]),
        ("display_name:ill", &[]),
        ("display_name:\"%\"", &[1, 2, 3]),
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

/// A time that is not there compares as it sorts: never to expire is after, never used before all others.
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

/// One key in every state, and two at the edge of expiry.
async fn one_in_each_state(store: &SqlStore) {
    let deletion = Some(Deletion { time: at(5), purge_time: at(6) });
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
    ];
    insert_keys(store, keys).await;
}

pub(crate) async fn states_are_those_of_the_instant(_: &Database, store: &SqlStore) {
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
    for state in keystile::domain::key::State::ALL {
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

pub(crate) async fn counts_are_those_of_the_instant(_: &Database, store: &SqlStore) {
    populate(store).await;
    let everything = Filter::everything();
    let none = store.count_keys(query(&everything)).await.unwrap();
    assert_eq!(none, KeyCounts::default());
    one_in_each_state(store).await;
    let expected = KeyCounts { active: 2, disabled: 1, revoked: 1, expired: 1, deleted: 2 };
    assert_eq!(store.count_keys(query(&everything)).await.unwrap(), expected);

    let a_moment_later = KeyQuery { now: Timestamp::from_micros(NOW.as_micros() + 1), ..query(&everything) };
    let counts = store.count_keys(a_moment_later).await.unwrap();
    assert_eq!((counts.active, counts.expired), (1, 2));
    let a_moment_before = KeyQuery { now: Timestamp::from_micros(NOW.as_micros() - 1), ..query(&everything) };
    let counts = store.count_keys(a_moment_before).await.unwrap();
    assert_eq!((counts.active, counts.expired), (3, 0));

    let some = keystile::domain::listing::key_filter("NOT state = DISABLED").unwrap();
    let counts = store.count_keys(query(&some)).await.unwrap();
    assert_eq!(counts, KeyCounts { disabled: 0, ..expected });
}

/// Far more keys than a page holds, with few different values to sort by.
pub(crate) async fn keys_page_by_keyset(_: &Database, store: &SqlStore) {
    populate(store).await;
    let keys: Vec<Key> = (0..40)
        .map(|n: u64| Key {
            create_time: at(10 + i64::try_from(n % 2).unwrap()),
            display_name: ["a", "a ", "B", "ä", "\u{1f680}"][usize::try_from(n % 5).unwrap()]
                .parse()
                .unwrap(),
            last_used_time: (n % 3 == 0).then(|| at(50)),
            expire_time: (n % 4 == 0).then(|| at(2_000_000)),
            ..key(n)
        })
        .collect();
    insert_keys(store, keys.clone()).await;
    for (field, by) in [
        ("create_time", KeyOrder::CreateTime),
        ("display_name", KeyOrder::DisplayName),
        ("last_used_time", KeyOrder::LastUsedTime),
        ("expire_time", KeyOrder::ExpireTime),
    ] {
        let mut expected: Vec<_> = keys.iter().map(|key| (sort_key(key, by), key.id)).collect();
        expected.sort();
        let expected: Vec<KeyId> = expected.into_iter().map(|it| it.1).collect();
        for size in [1, 7, 40, 100] {
            let ids = ids(&listed(store, "", field, size).await);
            assert_eq!(ids, expected, "{field}, {size} a page");
            let mut ids = self::ids(&listed(store, "", &format!("{field} desc"), size).await);
            ids.reverse();
            assert_eq!(ids, expected, "{field} desc, {size} a page");
        }
        let some = listed(store, "NOT display_name = B", field, 3).await;
        assert_eq!(some.len(), 32);
    }
}

/// Rows that come and go between two pages move no others.
pub(crate) async fn pages_hold_while_keys_come_and_go(_: &Database, store: &SqlStore) {
    use keystile::ports::store::Write;

    populate(store).await;
    insert_keys(store, (0..6).map(|n| key(n * 10))).await;
    let everything = Filter::everything();
    let first = store.keys(query(&everything), by_creation(3)).await.unwrap();
    assert_eq!(numbers(&first), [0, 10, 20]);
    let last = first[2].clone();
    let purge = Write::PurgeKey { project: last.project.clone(), id: last.id, revision: last.revision };
    crate::sample::write(store, vec![purge, Write::InsertKey(key(5))]).await;
    let mut next = by_creation(3);
    next.after = Some(place(&last, KeyOrder::CreateTime));
    let second = store.keys(query(&everything), next).await.unwrap();
    assert_eq!(numbers(&second), [30, 40, 50]);
}

/// Places that nobody was told: whoever makes one up gets nothing, and no error of the database.
pub(crate) async fn a_place_that_does_not_fit_has_nothing_behind_it(_: &Database, store: &SqlStore) {
    populate(store).await;
    insert_keys(store, [key(1), key(2)]).await;
    let everything = Filter::everything();
    let uuid = || Id::Uuid(0);
    for (by, value, id) in [
        (KeyOrder::CreateTime, SortValue::Text("a".into()), uuid()),
        (KeyOrder::CreateTime, SortValue::Number(0), Id::Text("a".into())),
        (KeyOrder::CreateTime, SortValue::Number(0), Id::None),
        (KeyOrder::DisplayName, SortValue::Number(0), uuid()),
        (KeyOrder::DisplayName, SortValue::Text("\0".into()), uuid()),
    ] {
        let mut page = Page { after: Some(Cursor { value, id }), ..by_creation(9) };
        page.order.by = by;
        let keys = store.keys(query(&everything), page).await.unwrap();
        assert!(keys.is_empty());
    }
    let mut page = by_creation(9);
    page.after = Some(Cursor { value: SortValue::Number(i64::MIN), id: Id::Uuid(u128::MAX) });
    assert_eq!(store.keys(query(&everything), page).await.unwrap().len(), 2);
}

fn ids(keys: &[Key]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id).collect()
}

fn sort_key(key: &Key, by: KeyOrder) -> (i64, Vec<u8>) {
    match place(key, by).value {
        SortValue::Number(number) => (number, vec![]),
        SortValue::Text(text) => (0, text.into_bytes()),
    }
}

/// Where `key` stands, as the service tells it.
pub(crate) fn place(key: &Key, by: KeyOrder) -> Cursor {
    let micros = |time: Timestamp| SortValue::Number(time.as_micros());
    Cursor {
        value: match by {
            KeyOrder::CreateTime => micros(key.create_time),
            KeyOrder::DisplayName => SortValue::Text(key.display_name.to_string()),
            KeyOrder::LastUsedTime => SortValue::Number(key.last_used_time.map_or(0, Timestamp::as_micros)),
            KeyOrder::ExpireTime => SortValue::Number(key.expire_time.map_or(i64::MAX, Timestamp::as_micros)),
        },
        id: Id::Uuid(key.id.as_uuid().as_u128()),
    }
}

#[test]
fn numbers_are_those_of_the_ids() {
    assert_eq!(numbers(&[key(7)]), [7]);
    assert_eq!(key(7).id, key_id(7));
}
