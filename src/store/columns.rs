//! Domain values as columns hold them, and back.

use std::{fmt, str::FromStr};

use domain::time::Timestamp;

use crate::ports::StoreError;

/// Sorts after every time.
pub(super) const NEVER: i64 = i64::MAX;
/// Sorts before every time.
pub(super) const NOT_YET: i64 = 0;

pub(super) fn or_never(time: Option<Timestamp>) -> i64 {
    time.map_or(NEVER, Timestamp::as_micros)
}

pub(super) fn unless_never(micros: i64) -> Option<Timestamp> {
    (micros != NEVER).then(|| Timestamp::from_micros(micros))
}

pub(super) fn or_not_yet(time: Option<Timestamp>) -> i64 {
    time.map_or(NOT_YET, Timestamp::as_micros)
}

pub(super) fn unless_not_yet(micros: i64) -> Option<Timestamp> {
    (micros != NOT_YET).then(|| Timestamp::from_micros(micros))
}

/// Reads what is stored in `column`; an error does not quote the value.
pub(super) fn read<T: FromStr>(column: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unreadable(column))
}

pub(super) fn read_optional<T: FromStr>(
    column: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| read(column, text)).transpose()
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    json: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_| unreadable(column))
}

pub(super) fn read_list<T: FromStr>(column: &'static str, json: &str) -> Result<Vec<T>, StoreError> {
    let texts: Vec<String> = read_json(column, json)?;
    texts.iter().map(|text| read(column, text)).collect()
}

/// An empty list when nothing is stored.
pub(super) fn read_optional_list<T: FromStr>(
    column: &'static str,
    json: Option<&str>,
) -> Result<Vec<T>, StoreError> {
    json.map_or(Ok(Vec::new()), |json| read_list(column, json))
}

pub(super) fn read_hash(column: &'static str, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| unreadable(column))
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts are plain JSON")
}

pub(super) fn json_list<T: fmt::Display>(values: &[T]) -> String {
    json(&values.iter().map(T::to_string).collect::<Vec<_>>())
}

pub(super) fn unreadable(column: &'static str) -> StoreError {
    StoreError::Broken(format!("what is stored in {column} cannot be read"))
}
