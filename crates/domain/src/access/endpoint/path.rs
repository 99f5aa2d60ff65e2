//! The canonical form of a path, and the paths that have none because servers read them in different ways.

const LONGEST: usize = 8 * 1024;

/// Why a path is ambiguous, as text that follows "the path".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    #[error("is longer than 8 KiB")]
    TooLong,
    #[error("does not begin with /")]
    NoLeadingSlash,
    #[error("has a backslash, raw or encoded as %5C")]
    Backslash,
    #[error("has an encoded slash, %2F")]
    EncodedSlash,
    #[error("has an encoded dot, %2E")]
    EncodedDot,
    #[error("has an encoded percent sign, %25")]
    EncodedPercentSign,
    #[error("has . or .. as a segment")]
    DotSegment,
    #[error("has an empty segment, as between the slashes of //")]
    EmptySegment,
    #[error("has a semicolon, raw or encoded as %3B")]
    Semicolon,
    #[error("has a control character, raw or encoded")]
    ControlCharacter,
    #[error("has a space or a character that is not ASCII, which must be percent-encoded")]
    NotVisibleAscii,
    #[error("has % without two hexadecimal digits after it")]
    BrokenEncoding,
    #[error("has percent-encoded bytes that are not UTF-8")]
    NotUtf8,
    #[error("has a query, which must be left out together with its ?")]
    Query,
    #[error("has a fragment, which must be left out together with its #")]
    Fragment,
}

impl Ambiguity {
    pub const ALL: [Self; 15] = [
        Self::TooLong,
        Self::NoLeadingSlash,
        Self::Backslash,
        Self::EncodedSlash,
        Self::EncodedDot,
        Self::EncodedPercentSign,
        Self::DotSegment,
        Self::EmptySegment,
        Self::Semicolon,
        Self::ControlCharacter,
        Self::NotVisibleAscii,
        Self::BrokenEncoding,
        Self::NotUtf8,
        Self::Query,
        Self::Fragment,
    ];
}

/// The canonical form of `path`; `None` if it is `path` itself.
///
/// Unreserved characters are raw in it; other characters are encoded, in upper-case digits, if they were encoded. Equal
/// forms are equal paths to any server that follows RFC 3986.
pub(super) fn canonical(path: &str) -> Result<Option<String>, Ambiguity> {
    if path.len() > LONGEST {
        return Err(Ambiguity::TooLong);
    }
    if !path.starts_with('/') {
        return Err(Ambiguity::NoLeadingSlash);
    }
    path.bytes().try_for_each(raw)?;
    if path.contains("//") {
        return Err(Ambiguity::EmptySegment);
    }
    if path.contains("/.") && path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Ambiguity::DotSegment);
    }
    if path.contains('%') { decode(path).map(Some) } else { Ok(None) }
}

/// Refuses bytes that have no place in a path. `%` is for [`decode`] to judge.
fn raw(byte: u8) -> Result<(), Ambiguity> {
    match byte {
        b'a'..=b'z' | b'/' => Ok(()),
        b'\\' => Err(Ambiguity::Backslash),
        b';' => Err(Ambiguity::Semicolon),
        b'?' => Err(Ambiguity::Query),
        b'#' => Err(Ambiguity::Fragment),
        0..=0x1f | 0x7f => Err(Ambiguity::ControlCharacter),
        0x21..=0x7e => Ok(()),
        _ => Err(Ambiguity::NotVisibleAscii),
    }
}

/// Decodes unreserved characters, and writes the digits of all others in upper case.
fn decode(path: &str) -> Result<String, Ambiguity> {
    let mut canonical = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, encoded)) = rest.split_once('%') {
        canonical.push_str(before);
        let (character, after) = character(encoded)?;
        match character {
            '\\' => return Err(Ambiguity::Backslash),
            '/' => return Err(Ambiguity::EncodedSlash),
            '.' => return Err(Ambiguity::EncodedDot),
            '%' => return Err(Ambiguity::EncodedPercentSign),
            ';' => return Err(Ambiguity::Semicolon),
            _ if character.is_control() => return Err(Ambiguity::ControlCharacter),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '~' => canonical.push(character),
            _ => {
                let digits = &encoded[..encoded.len() - after.len()];
                canonical.push('%');
                canonical.extend(digits.chars().map(|digit| digit.to_ascii_uppercase()));
            }
        }
        rest = after;
    }
    canonical.push_str(rest);
    Ok(canonical)
}

/// The character at the begin of `encoded`, which follows a `%`, and what comes after it.
fn character(encoded: &str) -> Result<(char, &str), Ambiguity> {
    let (first, mut rest) = byte(encoded)?;
    let mut bytes = [first, 0, 0, 0];
    let width = match first {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(Ambiguity::NotUtf8),
    };
    for next in &mut bytes[1..width] {
        (*next, rest) = byte(rest.strip_prefix('%').ok_or(Ambiguity::NotUtf8)?)?;
    }
    let text = std::str::from_utf8(&bytes[..width]).map_err(|_| Ambiguity::NotUtf8)?;
    text.chars().next().map(|character| (character, rest)).ok_or(Ambiguity::NotUtf8)
}

fn byte(encoded: &str) -> Result<(u8, &str), Ambiguity> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match encoded.as_bytes() {
        [high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low, &encoded[2..])),
        _ => None,
    }
    .ok_or(Ambiguity::BrokenEncoding)
}
