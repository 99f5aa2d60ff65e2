//! Listing keys: every filter, every order, pages without gaps or repeats.

use domain::{
    filter::Filter,
    id::KeyId,
    key::Key,
    page::{Cursor, Id, Page, SortValue},
    query::KeyOrder,
    time::Timestamp,
};
use keystile::{ports::ReadKeys, store::SqlStore};
use testkit::database::Database;

use crate::sample::{at, by_creation, insert_keys, key, listed, populate, query};

pub(crate) fn numbers(keys: &[Key]) -> Vec<u128> {
    let number = |key: &Key| key.id.as_uuid().as_u128() & 0xffff_ffff;
    keys.iter().map(number).collect()
}

/// Many more keys than a page holds, with few different values in the order's column.
pub(crate) async fn keys_page_by_keyset(_: &Database, store: &SqlStore) {
    populate(store).await;
    let keys: Vec<Key> = (0..40)
        .map(|n: u64| Key {
            create_time: at(10 + i64::try_from(n % 2).unwrap()),
            display_name: ["a", "a ", "B", "ä", "\u{1f680}"][usize::try_from(n % 5).unwrap()]
                .parse()
                .unwrap(),
            last_used_time: n.is_multiple_of(3).then(|| at(50)),
            expire_time: n.is_multiple_of(4).then(|| at(2_000_000)),
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

/// Rows that are inserted and deleted between two pages do not shift the others.
pub(crate) async fn pages_are_stable_while_keys_come_and_go(_: &Database, store: &SqlStore) {
    use keystile::ports::write::Write;

    populate(store).await;
    insert_keys(store, (0..6).map(|n| key(n * 10))).await;
    let everything = Filter::everything();
    let first = store.keys(query(&everything), by_creation(3)).await.unwrap();
    assert_eq!(numbers(&first), [0, 10, 20]);
    let last = first[2].clone();
    let purge = Write::delete(last.clone());
    crate::sample::write(store, vec![purge, Write::insert(key(5))]).await;
    let mut next = by_creation(3);
    next.after = Some(cursor_at(&last, KeyOrder::CreateTime));
    let second = store.keys(query(&everything), next).await.unwrap();
    assert_eq!(numbers(&second), [30, 40, 50]);
}

/// A forged cursor, whose types do not fit the order, finds nothing, and causes no error of the database.
pub(crate) async fn a_cursor_that_does_not_fit_the_order_finds_nothing(_: &Database, store: &SqlStore) {
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
    match cursor_at(key, by).value {
        SortValue::Number(number) => (number, vec![]),
        SortValue::Text(text) => (0, text.into_bytes()),
    }
}

/// The cursor at `key`, as the service makes it.
pub(crate) fn cursor_at(key: &Key, by: KeyOrder) -> Cursor {
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
