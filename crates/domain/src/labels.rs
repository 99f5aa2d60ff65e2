//! What a key carries for its users: tags, metadata, customers.

use std::collections::BTreeMap;

use super::{
    Invalid,
    id::{checked_string, read_string, shaped},
    text::{normal, without_api_key, written},
};

checked_string! {
    /// A word by which keys are found.
    Tag, tag
}
read_string! {
    /// An opaque id of the project's own customer, in normal form C.
    Customer, text => customer(text)?
}

impl Customer {
    /// As it was stored, even if the rules for new ones are stricter; in normal form C, in which verifications compare it.
    pub fn from_stored(text: &str) -> Self {
        Self(normal(text).into())
    }
}

/// Text by name, returned byte for byte by every verification of the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    const MOST_ENTRIES: usize = 64;
    const MOST_BYTES: usize = 8 * 1024;
    const MOST_VALUE_BYTES: usize = 1024;

    /// As they were stored, even if the rules for new ones are stricter.
    pub fn from_stored(entries: BTreeMap<String, String>) -> Self {
        Self(entries)
    }

    pub fn entries(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = Invalid;

    fn try_from(entries: BTreeMap<String, String>) -> Result<Self, Invalid> {
        if entries.len() > Self::MOST_ENTRIES {
            return Err(Invalid::new(format!("must have at most {} entries", Self::MOST_ENTRIES)));
        }
        for (key, value) in &entries {
            without_api_key(key)?;
            if !shaped(key, 64, name_byte, name_byte) {
                return Err(Invalid::new("must have names of 1 to 64 letters, digits and . _ / -"));
            }
            if value.len() > Self::MOST_VALUE_BYTES {
                return Err(Invalid::new(format!(
                    "has a value of more than {} bytes for {key:?}",
                    Self::MOST_VALUE_BYTES
                )));
            }
            if value.chars().any(char::is_control) {
                return Err(Invalid::new(format!("has a control character in the value of {key:?}")));
            }
            without_api_key(value).map_err(|why| Invalid::new(format!("{why} (in the value of {key:?})")))?;
        }
        let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > Self::MOST_BYTES {
            return Err(Invalid::new(format!(
                "must be at most {} bytes in total, but has {bytes}",
                Self::MOST_BYTES
            )));
        }
        Ok(Self(entries))
    }
}

fn name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._/-".contains(&byte)
}

fn tag(text: &str) -> Result<(), Invalid> {
    without_api_key(text)?;
    let byte = |byte: u8| name_byte(byte) || byte == b':';
    if shaped(text, 64, byte, byte) {
        return Ok(());
    }
    Err(Invalid::new("must be 1 to 64 letters, digits and . _ : / -"))
}

fn customer(text: &str) -> Result<Box<str>, Invalid> {
    let text = written(text, 128)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Invalid::new("must be 1 to 128 characters without whitespace"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(entries: impl IntoIterator<Item = (String, String)>) -> Result<Metadata, Invalid> {
        Metadata::try_from(entries.into_iter().collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn metadata_is_bounded_in_entries_and_lengths() {
        assert!(metadata([("team".into(), "a b".into())]).is_ok());
        assert!(metadata([("team".into(), "x".repeat(1025))]).is_err());
        assert!(metadata([("two words".into(), String::new())]).is_err());
        assert!(metadata([("n".into(), "\n".into())]).is_err());
        assert!(metadata((0..65).map(|n| (format!("k{n}"), String::new()))).is_err());
        assert!(metadata((0..9).map(|n| (format!("k{n}"), "x".repeat(1024)))).is_err());
    }

    #[test]
    fn customers_and_tags_have_no_white_space() {
        assert!("cust_42".parse::<Customer>().is_ok());
        assert!("".parse::<Customer>().is_err());
        assert!("a b".parse::<Customer>().is_err());
        assert!("team:core".parse::<Tag>().is_ok());
        assert!("a b".parse::<Tag>().is_err());
    }

    #[test]
    fn a_customer_is_the_same_in_every_normal_form() {
        let composed: Customer = "caf\u{e9}".parse().unwrap();
        assert_eq!("cafe\u{301}".parse(), Ok(composed.clone()));
        assert_eq!(Customer::from_stored("cafe\u{301}"), composed);
        assert_ne!("cafe".parse(), Ok(composed));
    }

    #[test]
    fn metadata_is_kept_byte_for_byte() {
        let value = "cafe\u{301} \u{200d}\u{202e}";
        let kept = metadata([("name".into(), value.into())]).unwrap();
        assert_eq!(kept.entries()["name"], value);
    }

    #[test]
    fn stored_text_is_read_without_checks() {
        assert_eq!(Customer::from_stored("a\u{200b} b").as_str(), "a\u{200b} b");
        let entries = BTreeMap::from([("two words".into(), "\n".into())]);
        assert_eq!(Metadata::from_stored(entries.clone()).entries(), &entries);
    }

    #[test]
    fn metadata_may_be_as_large_as_its_limits() {
        let entry = |n: usize, bytes: usize| (format!("k{n}"), "x".repeat(bytes));
        assert!(metadata((0..64).map(|n| (format!("k{n}"), String::new()))).is_ok());
        assert!(metadata([("team".into(), "x".repeat(1024))]).is_ok());
        // Names count as well: eight times 1,024 bytes.
        assert!(metadata((0..8).map(|n| entry(n, 1022))).is_ok());
        let error = metadata((0..8).map(|n| entry(n, 1022 + usize::from(n == 0)))).unwrap_err();
        assert_eq!(error.to_string(), "must be at most 8192 bytes in total, but has 8193");
    }

    #[test]
    fn names_and_tags_have_up_to_64_of_the_allowed_characters() {
        let longest = "x".repeat(64);
        for (text, name, tag) in [
            ("a.B_c/d-9", true, true),
            (&longest, true, true),
            (&format!("{longest}x"), false, false),
            ("a:b", false, true),
            ("", false, false),
            ("é", false, false),
            ("a,b", false, false),
        ] {
            assert_eq!(metadata([(text.into(), String::new())]).is_ok(), name, "{text}");
            assert_eq!(text.parse::<Tag>().is_ok(), tag, "{text}");
        }
    }

    #[test]
    fn text_with_an_api_key_is_refused() {
        let text = crate::key::sample::api_key().expose().to_owned();
        assert!(text.parse::<Tag>().unwrap_err().to_string().contains("API key"));
        assert!(text.parse::<Customer>().unwrap_err().to_string().contains("API key"));
        for (name, value) in [("name", text.as_str()), (&text, "value")] {
            let error = metadata([(name.into(), value.into())]).unwrap_err().to_string();
            assert!(error.contains("API key") && !error.contains(&text), "{error}");
        }
    }
}
