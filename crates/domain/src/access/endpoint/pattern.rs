//! Patterns of endpoints, as roles have them.

use std::{fmt, str::FromStr};

use super::{Endpoint, is_token_character, path};
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
    /// Where the slash before the first wildcard is, and where the last wildcard ends.
    wildcards_start: u16,
    wildcards_end: u16,
}

const LONGEST: usize = 500;

impl EndpointPattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        endpoint.path().is_ok_and(|path| self.matches_canonical(endpoint.method(), path))
    }

    /// Whether it matches whatever `other` matches.
    ///
    /// It is enough to match the path of `other`: its `*` is a segment that equals no literal of ours, as is one of the
    /// segments for which it stands. Of what `**` stands for it is enough to match nothing, if ours ends with `**` too.
    pub fn covers(&self, other: &EndpointPattern) -> bool {
        match other.path().strip_suffix("/**") {
            Some(path) => self.path().ends_with("/**") && self.matches_canonical(other.method(), path),
            None => self.matches_canonical(other.method(), other.path()),
        }
    }

    #[inline]
    pub(in crate::access) fn matches_canonical(&self, method: &str, path: &str) -> bool {
        let own = self.method();
        (own == method || own == "*") && self.matches_path(path)
    }

    /// The method and the path, if the path has no wildcards.
    pub(in crate::access) fn literal(&self) -> Option<[&str; 2]> {
        self.wildcards().is_empty().then(|| [self.method(), self.path()])
    }

    fn method(&self) -> &str {
        &self.text[..usize::from(self.method_end)]
    }

    fn path(&self) -> &str {
        &self.text[usize::from(self.path_start)..]
    }

    /// From the slash before the first wildcard of the path to the end of the last.
    fn wildcards(&self) -> &str {
        &self.text[usize::from(self.wildcards_start)..usize::from(self.wildcards_end)]
    }

    #[inline]
    fn matches_path(&self, path: &str) -> bool {
        let head = &self.text[usize::from(self.path_start)..usize::from(self.wildcards_start)];
        let tail = &self.text[usize::from(self.wildcards_end)..];
        let between = path.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
        between.is_some_and(|rest| match_segments(self.wildcards().as_bytes(), rest.as_bytes()))
    }
}

/// Whether `path` matches `pattern`, which is empty or begins and ends with a wildcard.
fn match_segments(mut pattern: &[u8], mut path: &[u8]) -> bool {
    loop {
        path = match (pattern, path) {
            ([], _) => return path.is_empty(),
            (b"/**", [] | [b'/', ..]) => return true,
            (_, [b'/', segments @ ..]) => segments,
            _ => return false,
        };
        let width = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
        if width == 0 {
            return false;
        }
        (pattern, path) = (&pattern[b"/*".len()..], &path[width..]);
        let literal = pattern.windows(2).position(|two| two == b"/*").unwrap_or(pattern.len());
        let Some(rest) = path.strip_prefix(&pattern[..literal]) else { return false };
        (pattern, path) = (&pattern[literal..], rest);
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
        let wildcards_start = text[path_start..].find("/*").map_or(text.len(), |at| path_start + at);
        let wildcards_end =
            text[wildcards_start..].rfind('*').map_or(text.len(), |at| wildcards_start + at + 1);
        let place = |at: usize| u16::try_from(at).map_err(|_| Invalid::new("is too long"));
        Ok(Self {
            text: text.into(),
            method_end: place(path_start.saturating_sub(1))?,
            path_start: place(path_start)?,
            wildcards_start: place(wildcards_start)?,
            wildcards_end: place(wildcards_end)?,
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
