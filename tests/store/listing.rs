//! Listing keys.

use keystile::domain::{
    key::Key,
    listing::KeyOrder,
    page::{Cursor, Id, SortValue},
    time::Timestamp,
};

/// Where `key` stands, as the service tells it.
pub(crate) fn place(key: &Key, by: KeyOrder) -> Cursor {
    let micros = |time: Timestamp| SortValue::Number(time.as_micros());
    Cursor {
        value: match by {
            KeyOrder::CreateTime => micros(key.create_time),
            KeyOrder::DisplayName => SortValue::Text(key.display_name.to_string()),
            KeyOrder::LastUsedTime => {
                SortValue::Number(key.last_used_time.map_or(0, Timestamp::as_micros))
            }
            KeyOrder::ExpireTime => {
                SortValue::Number(key.expire_time.map_or(i64::MAX, Timestamp::as_micros))
            }
        },
        id: Id::Uuid(key.id.as_uuid().as_u128()),
    }
}
