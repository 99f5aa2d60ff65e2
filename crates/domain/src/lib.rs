//! The rules of API keys: pure values and functions; time and randomness are arguments.

pub mod access;
pub mod audit;
mod base62;
pub mod changed;
pub mod credential;
pub mod decision;
pub mod digest;
pub mod expiry;
pub mod explain;
pub mod filter;
pub mod freshness;
pub mod id;
pub mod judge;
pub mod key;
pub mod labels;
pub mod mark;
pub mod name;
pub mod page;
pub mod policy;
pub mod project;
pub mod query;
pub mod removal;
pub mod resource;
pub mod role;
pub mod service_account;
pub mod shared_access;
mod sync;
pub mod text;
pub mod time;
pub mod token;

use std::{borrow::Cow, fmt};

/// The position of a change in the one total order of changes; 0 is before the first.
pub type Revision = i64;

/// The etag of a resource at `revision`. A caller sends it back to name that state; it is opaque to callers.
pub fn etag(revision: Revision) -> String {
    format!("\"{revision:x}\"")
}

/// Whether `text` is the etag of `revision`. The quotes may be missing, because shells remove them.
pub fn is_etag(text: &str, revision: Revision) -> bool {
    let etag = etag(revision);
    text == etag || text == etag.trim_matches('"')
}

/// Why a value is invalid, as text that follows the name of its field, such as "must not be negative".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(Cow<'static, str>);

impl Invalid {
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_names_one_revision_with_or_without_its_quotes() {
        assert_eq!(etag(42), "\"2a\"");
        for (text, matches) in [
            ("\"2a\"", true),
            ("2a", true),
            ("\"2b\"", false),
            ("2b", false),
            ("42", false),
            ("\"2a", false),
            ("\"\"", false),
            ("", false),
        ] {
            assert_eq!(is_etag(text, 42), matches, "{text}");
        }
    }

    #[test]
    fn an_error_prints_as_its_reason() {
        assert_eq!(Invalid::new("must not be negative").to_string(), "must not be negative");
    }
}
