//! Peppers as text: `version:base64`, newest first, separated by commas or line breaks.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use zeroize::Zeroizing;

/// A key for the digests of secrets. Its `Debug` shows only the version.
#[derive(Clone, PartialEq, Eq)]
pub struct Pepper {
    /// Names the pepper in the database; positive.
    pub version: u16,
    /// At least 32 bytes.
    pub secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Reads peppers from text. Each fault names its entry by position, and quotes nothing of it.
pub fn parse_peppers(text: &str) -> Result<Vec<Pepper>, PepperError> {
    let mut seen = BTreeSet::new();
    let mut peppers = Vec::new();
    let mut faults = Vec::new();
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    for (index, entry) in entries.enumerate() {
        match parse_entry(entry) {
            Ok(pepper) if !seen.insert(pepper.version) => {
                faults.push((index + 1, EntryFault::Repeated(pepper.version)))
            }
            Ok(pepper) => peppers.push(pepper),
            Err(fault) => faults.push((index + 1, fault)),
        }
    }
    match (peppers.is_empty(), faults.is_empty()) {
        (false, true) => Ok(peppers),
        (true, true) => Err(PepperError::Empty),
        (_, false) => Err(PepperError::Entries(faults)),
    }
}

/// What is wrong with a list of peppers. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PepperError {
    /// There is none.
    #[error("holds no pepper: write `version:base64`, newest first")]
    Empty,
    /// Entries by position, from 1, and what is wrong with each.
    #[error("{}", .0.iter().map(|(entry, fault)| format!("entry {entry} {fault}")).collect::<Vec<_>>().join("; "))]
    Entries(Vec<(usize, EntryFault)>),
}

/// What is wrong with one pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// There is no colon.
    #[error("has no colon: write `version:base64`")]
    NoColon,
    /// The version is not a positive 16-bit number.
    #[error("has no valid version before its colon: write a whole number from 1 to 65535")]
    Version,
    /// An earlier entry has the same version.
    #[error("repeats version {0}: give each pepper a version of its own")]
    Repeated(u16),
    /// The value is not base64.
    #[error("is not valid base64 after its colon: generate one with `openssl rand -base64 32`")]
    Encoding,
    /// The value is too short.
    #[error("has {0} bytes, but at least 32 are needed: generate one with `openssl rand -base64 32`")]
    Short(usize),
}

const MIN_BYTES: usize = 32;

fn parse_entry(entry: &str) -> Result<Pepper, EntryFault> {
    let (version, encoded) = entry.split_once(':').ok_or(EntryFault::NoColon)?;
    let version = version.trim().parse().ok().filter(|version| *version > 0).ok_or(EntryFault::Version)?;
    let encoded = encoded.trim();
    let engine =
        if encoded.contains(['-', '_']) { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
    let secret = engine.decode(encoded).map(Zeroizing::new).map_err(|_| EntryFault::Encoding)?;
    if secret.len() < MIN_BYTES {
        return Err(EntryFault::Short(secret.len()));
    }
    Ok(Pepper { version, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 33 bytes of ones, whose letters differ between the two alphabets.
    const ONES: &str = "////////////////////////////////////////////";

    #[test]
    fn reads_commas_lines_and_both_alphabets() {
        let padded = format!("{ONES}/w==");
        let bare = format!("{ONES}/w");
        let url_safe = bare.replace('/', "_");
        let peppers =
            parse_peppers(&format!(" 3:{padded}, 2:{bare}\r\n1: {url_safe},\n\n")).expect("peppers");
        assert_eq!(peppers.iter().map(|pepper| pepper.version).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(peppers.iter().all(|pepper| *pepper.secret == [0xff; 34]));
    }

    #[test]
    fn debug_hides_the_secret() {
        let peppers = parse_peppers(&format!("7:{ONES}")).expect("peppers");
        assert_eq!(format!("{peppers:?}"), "[Pepper { version: 7, .. }]");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = format!("1:{ONES},{ONES},0:{ONES},70000:{ONES},{ONES}:1,1:{ONES},2:hush!hush,3:AAAA");
        assert_eq!(
            parse_peppers(&text),
            Err(PepperError::Entries(vec![
                (2, EntryFault::NoColon),
                (3, EntryFault::Version),
                (4, EntryFault::Version),
                (5, EntryFault::Version),
                (6, EntryFault::Repeated(1)),
                (7, EntryFault::Encoding),
                (8, EntryFault::Short(3)),
            ]))
        );
        let message = parse_peppers(&text).expect_err("faults").to_string();
        assert!(
            message.starts_with("entry 2 has no colon: write `version:base64`; entry 3 has no valid version"),
            "{message}"
        );
        assert!(!message.contains(ONES) && !message.contains("hush"), "{message}");
    }

    #[test]
    fn at_least_one_pepper_is_needed() {
        for empty in ["", " \n", ",,"] {
            assert_eq!(parse_peppers(empty), Err(PepperError::Empty));
        }
    }

    #[test]
    fn thirty_two_bytes_are_enough() {
        let exactly = format!("1:{}=", &ONES[..43].replace('/', "A"));
        assert_eq!(parse_peppers(&exactly).expect("a pepper")[0].secret.len(), 32);
        assert_eq!(
            parse_peppers(&format!("1:{}", &exactly[2..44])),
            Err(PepperError::Entries(vec![(1, EntryFault::Short(31))]))
        );
    }
}
