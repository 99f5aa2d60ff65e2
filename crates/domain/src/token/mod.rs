//! The API key as text: `{prefix}_{environment tag}_{id}{secret}{checksum}`.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    base62::{self, WIDTH_32, WIDTH_128},
    digest::Secret,
    id::KeyId,
};

const SECRET_WIDTH: usize = 2 * WIDTH_128;
const BODY: usize = WIDTH_128 + SECRET_WIDTH + WIDTH_32;
const LONGEST_PREFIX: usize = 16 + 1 + 10;
/// Replaces everything secret in [`masked`].
const MASK: &str = "****";

/// The text of an API key, not parsed: it cannot be printed, and is wiped after use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiKey(String);

impl ApiKey {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Without the blanks around it that were pasted along.
    pub fn trimmed(&self) -> Self {
        Self(self.0.trim().to_owned())
    }

    /// The text, for the code that sends it or shows it once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// An API key that has the right length and names a key; nothing else of it was checked.
#[derive(Clone)]
pub struct Presented {
    api_key: ApiKey,
    id: KeyId,
}

/// An API key, parsed; nothing of it is proven until its secret's digest was compared.
#[derive(Debug)]
pub struct Token<'a> {
    /// Prefix and environment tag, as in `acme_live`.
    pub token_prefix: &'a str,
    pub id: KeyId,
    pub secret: Secret,
}

/// The text is no API key: damaged, cut off, or something else altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("is not an API key, which has the form prefix_environment_body")]
    Shape,
    #[error(
        "has {0} characters after its last _, but an API key has {BODY}: it is truncated, or has extra characters"
    )]
    Length(usize),
    #[error("has a wrong checksum: it is mistyped, truncated or damaged")]
    Checksum,
    #[error("contains an id or a secret that is out of range")]
    Number,
}

impl Presented {
    pub fn new(api_key: ApiKey) -> Result<Self, Malformed> {
        let id = read_id(&api_key.0)?;
        Ok(Self { api_key, id })
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Parses all of it.
    pub fn token(&self) -> Result<Token<'_>, Malformed> {
        read_token(&self.api_key.0, self.id)
    }

    /// The token prefix, and what follows it, neither of them checked.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        let text = self.api_key.0.as_bytes();
        let (prefix, body) = text.split_at(text.len() - BODY);
        (&prefix[..prefix.len() - 1], body)
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<'a> Token<'a> {
    pub fn parse(api_key: &'a ApiKey) -> Result<Self, Malformed> {
        let text = api_key.0.as_str();
        read_token(text, read_id(text)?)
    }
}

/// The API key of `secret` under the key `id`.
pub fn issue(token_prefix: &str, id: KeyId, secret: &Secret) -> ApiKey {
    let mut text = String::with_capacity(token_prefix.len() + 1 + BODY);
    text.push_str(token_prefix);
    text.push('_');
    id.encode_into(&mut text);
    let (high, low) = secret.halves();
    base62::encode_into(&mut text, *high, WIDTH_128);
    base62::encode_into(&mut text, *low, WIDTH_128);
    let checksum = crc32fast::hash(text.as_bytes());
    base62::encode_into(&mut text, u128::from(checksum), WIDTH_32);
    ApiKey(text)
}

/// What may be shown of every API key of the key `id`: it identifies the key, and contains nothing of a secret.
pub fn masked(token_prefix: &str, id: KeyId) -> String {
    format!("{token_prefix}_{id}{MASK}")
}

/// The text is not what [`masked`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a masked API key, which has the form prefix_environment_id{MASK} with an id of {WIDTH_128} characters"
)]
pub struct NotMasked;

/// The key's id in a text that [`masked`] wrote.
pub fn unmask(text: &str) -> Result<KeyId, NotMasked> {
    let (token_prefix, body) = text.rsplit_once('_').ok_or(NotMasked)?;
    let id = body.strip_suffix(MASK).ok_or(NotMasked)?;
    if id.len() != WIDTH_128 || !is_token_prefix(token_prefix) {
        return Err(NotMasked);
    }
    KeyId::from_base62(id.as_bytes()).ok_or(NotMasked)
}

/// Whether `text` contains an API key, or one that lacks its prefix or (some of) its checksum.
pub fn holds_api_key(text: &str) -> bool {
    const SECRET_END: usize = WIDTH_128 + SECRET_WIDTH;
    let mut runs = text.split(|it: char| !it.is_ascii_alphanumeric());
    // Verifications name customers: a short text is not worth a closer look.
    text.len() >= SECRET_END
        && runs.any(|run| {
            // Other text of such a length hardly ever begins with the digits of a UUIDv7 and a secret.
            run.len() >= SECRET_END
                && KeyId::from_base62(&run.as_bytes()[..WIDTH_128]).is_some()
                && decode_secret(&run.as_bytes()[WIDTH_128..SECRET_END]).is_some()
        })
}

/// `text` without the secrets of API keys in it, for messages that quote input: API keys get pasted into the
/// wrong fields, and the errors end up in logs.
pub fn conceal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(|it: char| !it.is_ascii_alphanumeric()) {
        let run = part.bytes().take_while(u8::is_ascii_alphanumeric).count();
        // Also without its prefix or its checksum; an id is shorter.
        if run >= WIDTH_128 + SECRET_WIDTH {
            shown.push_str(&part[..WIDTH_128]);
            shown.push_str(MASK);
            shown.push_str(&part[run..]);
        } else {
            shown.push_str(part);
        }
    }
    shown
}

/// The id in `text`, if that has the length of an API key.
fn read_id(text: &str) -> Result<KeyId, Malformed> {
    let prefix = text.len().checked_sub(BODY + 1).ok_or_else(|| misshapen(text))?;
    if text.as_bytes()[prefix] != b'_' {
        return Err(misshapen(text));
    }
    match KeyId::from_base62(&text.as_bytes()[prefix + 1..][..WIDTH_128]) {
        Some(id) => Ok(id),
        None => Err(check(text).err().unwrap_or(Malformed::Number)),
    }
}

/// All that `text` says, whose id is `id`.
fn read_token(text: &str, id: KeyId) -> Result<Token<'_>, Malformed> {
    let (token_prefix, _) = text.rsplit_once('_').ok_or(Malformed::Shape)?;
    if text.len() != token_prefix.len() + 1 + BODY || !is_token_prefix(token_prefix) {
        return Err(Malformed::Shape);
    }
    let content = check(text)?;
    let secret = &content[content.len() - SECRET_WIDTH..];
    Ok(Token { token_prefix, id, secret: decode_secret(secret).ok_or(Malformed::Number)? })
}

/// What is wrong with a text that is not shaped as an API key. A wrong length has an error of its own, since people
/// cut API keys off when they copy them.
#[cold]
fn misshapen(text: &str) -> Malformed {
    match text.rsplit_once('_') {
        Some((token_prefix, body))
            if is_token_prefix(token_prefix)
                && body.len() != BODY
                && body.bytes().all(|it| it.is_ascii_alphanumeric()) =>
        {
            Malformed::Length(body.len())
        }
        _ => Malformed::Shape,
    }
}

/// All of `text` before its checksum, which fits it.
fn check(text: &str) -> Result<&[u8], Malformed> {
    let (content, checksum) = text.as_bytes().split_at(text.len() - WIDTH_32);
    let fits = base62::decode(checksum) == Some(u128::from(crc32fast::hash(content)));
    if fits { Ok(content) } else { Err(Malformed::Checksum) }
}

fn is_token_prefix(token_prefix: &str) -> bool {
    let word = |word: &str| {
        word.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    token_prefix.len() <= LONGEST_PREFIX
        && token_prefix.split_once('_').is_some_and(|(prefix, tag)| word(prefix) && word(tag))
}

fn decode_secret(digits: &[u8]) -> Option<Secret> {
    let (high, low) = digits.split_at(WIDTH_128);
    let high = Zeroizing::new(base62::decode(high)?);
    let low = Zeroizing::new(base62::decode(low)?);
    Some(Secret::from_halves(&high, &low))
}

#[cfg(test)]
mod tests;
