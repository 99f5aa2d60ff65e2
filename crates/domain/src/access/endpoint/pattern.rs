//! Patterns of endpoints, as roles have them.

use std::{fmt, str::FromStr};

use super::{
    Endpoint, is_token_character, path,
    wild::{Segments, Wild},
};
use crate::{Invalid, text::without_api_key};

/// Endpoints that a role allows: `METHOD /path`, or `/package.Service/Method` for gRPC.
///
/// The method may be `*`, which is any method and gRPC. In a path, `*` is one segment that is not empty, and `**` at the
/// end is any further segments, or none. The method of gRPC may be `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointPattern {
    text: Box<str>,
    method_end: u16,
    path_start: u16,
}

const LONGEST: usize = 500;

impl EndpointPattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        let wild = Wild::new(self.path());
        endpoint.path().is_ok_and(|path| self.matches_with(&wild, endpoint.method(), &Segments::of(path)))
    }

    /// As [`Self::matches`], with its own path prepared as `wild`.
    #[inline]
    pub(in crate::access) fn matches_with(&self, wild: &Wild, method: &str, segments: &Segments<'_>) -> bool {
        self.is_for(method) && wild.matches(self.path(), segments)
    }

    /// Whether it has no wildcards in its path, and is of this method and path.
    #[inline]
    pub(in crate::access) fn is_literally(&self, method: &str, path: &str) -> bool {
        self.is_for(method) && self.path() == path
    }

    fn is_for(&self, method: &str) -> bool {
        let own = self.method();
        own == method || own == "*"
    }

    /// The method and the path, if the path has no wildcards.
    pub(in crate::access) fn literal(&self) -> Option<[&str; 2]> {
        (!self.path().contains('*')).then(|| [self.method(), self.path()])
    }

    fn method(&self) -> &str {
        &self.text[..usize::from(self.method_end)]
    }

    pub(in crate::access) fn path(&self) -> &str {
        &self.text[usize::from(self.path_start)..]
    }
}

impl FromStr for EndpointPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        without_api_key(text)?;
        if text.len() > LONGEST {
            return Err(Invalid::new(format!("must be at most {LONGEST} characters")));
        }
        let path_start = if text.starts_with('/') {
            check_grpc(text)?;
            0
        } else {
            let (method, path) = text.split_once(' ').ok_or_else(|| {
                Invalid::new(
                    "must be a method and a path, as in GET /documents, or /package.Service/Method for gRPC",
                )
            })?;
            check_method(method)?;
            check_path(path)?;
            method.len() + 1
        };
        let place = |at: usize| u16::try_from(at).map_err(|_| Invalid::new("is too long"));
        Ok(Self {
            text: text.into(),
            method_end: place(path_start.saturating_sub(1))?,
            path_start: place(path_start)?,
        })
    }
}

impl fmt::Display for EndpointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_grpc(text: &str) -> Result<(), Invalid> {
    let is_identifier = |text: &str| {
        text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    let is_grpc = text[1..].split_once('/').is_some_and(|(service, method)| {
        service.split('.').all(is_identifier) && (method == "*" || is_identifier(method))
    });
    is_grpc.then_some(()).ok_or_else(|| {
        Invalid::new(
            "must begin with a method or *, as in GET /documents; without one it must be \
            /package.Service/Method or /package.Service/* for gRPC",
        )
    })
}

fn check_method(method: &str) -> Result<(), Invalid> {
    if method == "*" {
        return Ok(());
    }
    if method.is_empty() || !method.chars().all(is_token_character) {
        return Err(Invalid::new(format!("must begin with an HTTP method or *, but has {method:?}")));
    }
    if method.contains(|it: char| it.is_ascii_lowercase()) {
        let capitals = method.to_ascii_uppercase();
        return Err(Invalid::new(format!("must have its method in capitals: write {capitals}")));
    }
    Endpoint::check_method(method)
}

fn check_path(path: &str) -> Result<(), Invalid> {
    match path::canonical(path) {
        Err(why) => return Err(Invalid::new(format!("has a path that is ambiguous: it {why}"))),
        Ok(Some(canonical)) if canonical != path => {
            return Err(Invalid::new(format!("must have its path in canonical form: write {canonical}")));
        }
        Ok(_) => {}
    }
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "**" if segments.peek().is_some() => {
                return Err(Invalid::new("has ** before the end: it stands for the rest of a path"));
            }
            "*" | "**" => {}
            _ if segment.contains('*') => {
                return Err(Invalid::new(format!(
                    "has * as a part of the segment {segment}: it stands for a whole segment; a literal * is %2A"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
