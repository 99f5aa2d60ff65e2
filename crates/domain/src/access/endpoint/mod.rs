//! Endpoints that callers ask about, and the patterns by which roles allow them.

mod path;
mod pattern;
mod wild;

pub use path::Ambiguity;
pub use pattern::EndpointPattern;
pub(super) use wild::{Segments, Wild};

use crate::Invalid;

/// The HTTP or gRPC operation that a caller asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    method: String,
    /// Canonical, unless it is ambiguous.
    path: String,
    ambiguity: Option<Ambiguity>,
}

const LONGEST_METHOD: usize = 32;

impl Endpoint {
    /// `method` is empty for gRPC. A path that is ambiguous matches no pattern.
    pub fn new(method: String, path: String) -> Self {
        match path::canonical(&path) {
            Ok(None) => Self { method, path, ambiguity: None },
            Ok(Some(canonical)) => Self { method, path: canonical, ambiguity: None },
            Err(ambiguity) => Self { method, path, ambiguity: Some(ambiguity) },
        }
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// The canonical path, or why there is none.
    pub fn path(&self) -> Result<&str, Ambiguity> {
        match self.ambiguity {
            None => Ok(&self.path),
            Some(ambiguity) => Err(ambiguity),
        }
    }

    /// Checks the method of a request. Methods are case-sensitive, so `get` is a method, but another than `GET`.
    pub fn check_method(method: &str) -> Result<(), Invalid> {
        if method.len() > LONGEST_METHOD {
            return Err(Invalid::new(format!("must be at most {LONGEST_METHOD} characters")));
        }
        match method.chars().find(|character| !is_token_character(*character)) {
            None => Ok(()),
            Some('*') => Err(Invalid::new("must be one method, such as GET: only a role may have *")),
            Some(odd) => Err(Invalid::new(format!(
                "has the character {odd:?}: it must be a method such as GET, or empty for gRPC"
            ))),
        }
    }
}

/// What RFC 9110 allows in a token; but no `*`, which is the wildcard here and in no registered method.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'+-.^_`|~".contains(character)
}
