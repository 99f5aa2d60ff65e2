//! API keys that Keystile never issued, with a correct checksum.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: usize = 6;

/// `api_key` with every `from` as `to`, under a new checksum.
pub fn forged(api_key: &str, from: &str, to: &str) -> String {
    let content = &api_key[..api_key.len() - CHECKSUM];
    assert!(content.contains(from));
    sealed(content.replace(from, to))
}

/// The API key with another secret, under a new checksum.
pub fn with_wrong_secret(api_key: &str) -> String {
    let secret = &api_key[api_key.len() - CHECKSUM - 44..api_key.len() - CHECKSUM];
    forged(api_key, secret, &"0".repeat(44))
}

/// `content` with its checksum appended.
pub fn sealed(content: String) -> String {
    let mut checksum = crc32fast::hash(content.as_bytes());
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(checksum % 62) as usize];
        checksum /= 62;
    }
    content + std::str::from_utf8(&digits).unwrap()
}

/// `api_key` with another character at `at`.
pub fn damaged(api_key: &str, at: usize) -> String {
    let other = if api_key.as_bytes()[at] == b'a' { "b" } else { "a" };
    let mut damaged = api_key.to_owned();
    damaged.replace_range(at..=at, other);
    damaged
}
