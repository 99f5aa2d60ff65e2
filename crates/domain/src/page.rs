//! Pages of a listing. The end of a page is an opaque token that grants no authority.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Which part of a listing to read.
#[derive(Debug, Clone)]
pub struct Page<K> {
    pub size: u64,
    pub order: Order<K>,
    /// The last row of the previous page.
    pub after: Option<Cursor>,
}

impl<K> Page<K> {
    /// With one more row, which shows whether another page follows.
    #[must_use]
    pub fn and_one(mut self) -> Self {
        self.size += 1;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<K> {
    pub by: K,
    pub descending: bool,
}

/// A row's place in the order: its sort value, then its id.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    pub value: SortValue,
    pub id: Id,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SortValue {
    #[serde(rename = "n")]
    Number(i64),
    #[serde(rename = "t")]
    Text(String),
}

/// The tie-breaker between rows of equal sort value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Id {
    #[serde(rename = "u")]
    Uuid(u128),
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "-")]
    None,
}

impl Cursor {
    pub fn uuid(&self) -> Option<Uuid> {
        match self.id {
            Id::Uuid(id) => Some(Uuid::from_u128(id)),
            _ => None,
        }
    }

    pub fn text_id(&self) -> Option<&str> {
        match &self.id {
            Id::Text(id) => Some(id),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<i64> {
        match self.value {
            SortValue::Number(number) => Some(number),
            SortValue::Text(_) => None,
        }
    }

    /// The token of this place in `listing`, which names everything but the page itself: the method,
    /// parent, filter and order.
    pub fn to_token(&self, listing: &str) -> String {
        let mut bytes = serde_json::to_vec(self).expect("a cursor is plain JSON");
        let seal = seal(listing, &bytes);
        bytes.extend(seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for a token of another listing, or one that was edited.
    pub fn from_token(token: &str, listing: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (cursor, sealed) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        if sealed != seal(listing, cursor) {
            return None;
        }
        serde_json::from_slice(cursor).ok()
    }
}

const SEAL: usize = 8;

/// Detects mistakes, not forgery: a forged token shows no row that a filter would not show.
fn seal(listing: &str, cursor: &[u8]) -> [u8; SEAL] {
    let digest: [u8; 32] =
        Sha256::new().chain_update(listing).chain_update([0]).chain_update(cursor).finalize().into();
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&digest[..SEAL]);
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_is_accepted_only_unchanged_and_in_its_own_listing() {
        let cursor = Cursor { value: SortValue::Text("a\"b".into()), id: Id::Uuid(u128::MAX) };
        let token = cursor.to_token("keys of acme");
        assert_eq!(Cursor::from_token(&token, "keys of acme"), Some(cursor));
        assert_eq!(Cursor::from_token(&token, "keys of other"), None);
        for at in 0..token.len() {
            let mut edited = token.clone().into_bytes();
            edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
            let edited = String::from_utf8(edited).unwrap();
            assert_eq!(Cursor::from_token(&edited, "keys of acme"), None, "{edited}");
        }
        assert_eq!(Cursor::from_token("", "keys of acme"), None);
    }

    #[test]
    fn one_more_row_shows_whether_another_page_follows() {
        let page = Page { size: 2, order: Order { by: (), descending: false }, after: None };
        assert_eq!(page.and_one().size, 3);
    }

    #[test]
    fn a_cursor_has_one_kind_of_id_and_of_value() {
        let id = Uuid::from_u128(7);
        for (cursor_id, uuid, text) in
            [(Id::Uuid(7), Some(id), None), (Id::Text("ci".into()), None, Some("ci")), (Id::None, None, None)]
        {
            let cursor = Cursor { value: SortValue::Number(5), id: cursor_id };
            assert_eq!((cursor.uuid(), cursor.text_id()), (uuid, text), "{cursor:?}");
            assert_eq!(cursor.number(), Some(5));
        }
        assert_eq!(Cursor { value: SortValue::Text("5".into()), id: Id::None }.number(), None);
    }
}
