//! What a key carries for others to use: tags, metadata, customers.

use std::collections::BTreeMap;

use super::{
    Invalid,
    id::{checked_string, shaped},
    text::plain,
};

checked_string! {
    /// A word to find keys by.
    Tag, tag
}
checked_string! {
    /// An opaque id of the project's own customer.
    Customer, customer
}

/// Text by name, handed back with every verification of the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    const MOST_ENTRIES: usize = 64;
    const MOST_BYTES: usize = 8 * 1024;
    const MOST_VALUE_BYTES: usize = 1024;

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
            if !shaped(key, 64, name_byte, name_byte) {
                return Err(Invalid::new("has a name that is not 1 to 64 of letters, digits and . _ / -"));
            }
            if value.len() > Self::MOST_VALUE_BYTES {
                return Err(Invalid::new(format!(
                    "has a value of more than {} bytes under {key:?}",
                    Self::MOST_VALUE_BYTES
                )));
            }
            if value.chars().any(char::is_control) {
                return Err(Invalid::new(format!("has a control character under {key:?}")));
            }
        }
        let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > Self::MOST_BYTES {
            return Err(Invalid::new(format!(
                "must be at most {} bytes together, and is {bytes}",
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
    let byte = |byte: u8| name_byte(byte) || byte == b':';
    if shaped(text, 64, byte, byte) {
        return Ok(());
    }
    Err(Invalid::new("must be 1 to 64 of letters, digits and . _ : / -"))
}

fn customer(text: &str) -> Result<(), Invalid> {
    plain(text, 128)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Invalid::new("must be 1 to 128 characters without white space"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(entries: impl IntoIterator<Item = (String, String)>) -> Result<Metadata, Invalid> {
        Metadata::try_from(entries.into_iter().collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn metadata_is_bounded_in_every_direction() {
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
}
