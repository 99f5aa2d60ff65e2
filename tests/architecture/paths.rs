//! The paths that a source file writes, `use` trees taken apart: `a::{b, c::d}` is `a::b` and `a::c::d`.

/// A path, by its segments; a glob ends with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) segments: Vec<String>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `use a::b;`
    Import,
    /// `pub use a::b;`, with any visibility.
    Reexport,
    /// Within an expression or a type.
    Inline,
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// `::`
    Separator,
    Other(char),
}

/// Every path of at least two segments in `code`, which has no comments and no strings.
pub(crate) fn paths(code: &str) -> Vec<Written> {
    let tokens = tokens(code);
    let mut paths = Vec::new();
    let mut at = 0;
    let mut kind = Kind::Inline;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Word("use") => {
                let public = at > 0 && matches!(tokens[at - 1], Token::Word("pub") | Token::Other(')'));
                kind = if public { Kind::Reexport } else { Kind::Import };
                at += 1;
            }
            // `pub(in a::b)` says who may see an item, not what the file uses.
            Token::Word("in") if at > 1 && tokens[at - 2] == Token::Word("pub") => {
                at += tokens[at..].iter().position(|token| *token == Token::Other(')')).unwrap_or(1);
            }
            Token::Word(_) if at == 0 || !matches!(tokens[at - 1], Token::Separator | Token::Other('$')) => {
                at = tree(&tokens, at, &[], kind, &mut paths);
                kind = Kind::Inline;
            }
            _ => at += 1,
        }
    }
    paths.retain(|path| path.segments.len() > 1);
    paths
}

/// Reads the tree at `at`, all of it below `above`, and answers where it ends.
fn tree(
    tokens: &[Token<'_>],
    mut at: usize,
    above: &[String],
    kind: Kind,
    paths: &mut Vec<Written>,
) -> usize {
    let mut segments = above.to_vec();
    loop {
        match tokens.get(at) {
            Some(Token::Word(word)) => segments.push((*word).to_owned()),
            Some(Token::Other('*')) => segments.push("*".to_owned()),
            Some(Token::Other('{')) if kind != Kind::Inline => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token {
                        Token::Other('}') => return at + 1,
                        Token::Other(',') => at += 1,
                        _ => at = tree(tokens, at, &segments, kind, paths).max(at + 1),
                    }
                }
                return at;
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at) == Some(&Token::Separator) {
            at += 1;
            continue;
        }
        if tokens.get(at) == Some(&Token::Word("as")) {
            at += 2;
        }
        break;
    }
    if segments.last().is_some_and(|last| last == "self") && segments.len() > 1 {
        segments.pop();
    }
    paths.push(Written { segments, kind });
    at
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
        if length > 0 {
            tokens.push(Token::Word(&rest[..length]));
            rest = &rest[length..];
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push(Token::Separator);
            rest = after;
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Other(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

#[test]
fn trees_are_taken_apart() {
    let code = "use crate::{domain::{id, key::Key as K}, ports}; pub(in crate::x) fn y(); pub(super) use a::*; let x = self::b::<T>(c::d);";
    let seen: Vec<_> = paths(code).into_iter().map(|it| (it.segments.join("::"), it.kind)).collect();
    let expected = [
        ("crate::domain::id", Kind::Import),
        ("crate::domain::key::Key", Kind::Import),
        ("crate::ports", Kind::Import),
        ("a::*", Kind::Reexport),
        ("self::b", Kind::Inline),
        ("c::d", Kind::Inline),
    ];
    assert_eq!(seen, expected.map(|(path, kind)| (path.to_owned(), kind)));
}
