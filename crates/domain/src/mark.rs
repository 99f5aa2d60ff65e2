//! Marks: an API key that was proven before is recognised at a fraction of the cost of an HMAC.
//!
//! A proven secret keeps a mark of the text that carried it: 128 bits of SipHash-2-4 under a key that the
//! process draws at its start. The same text has the same mark; any other text has it with a probability of
//! 2^-128. A mark is useless outside of the process, and never leaves it.

use std::{
    fmt,
    hash::Hasher,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use siphasher::sip128::{Hasher128, SipHasher24};
use subtle::ConstantTimeEq;

use super::token::Presented;

/// Keys the marks of one process.
#[derive(Clone, Copy)]
pub struct MarkKey(SipHasher24);

impl MarkKey {
    pub fn new(random: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(random))
    }

    /// Of the id, the secret and the checksum.
    pub fn mark(&self, presented: &Presented) -> Mark {
        let mut hasher = self.0;
        hasher.write(presented.parts().1);
        let hash = hasher.finish128();
        Mark([hash.h1, hash.h2])
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey(redacted)")
    }
}

#[derive(Clone, Copy)]
pub struct Mark([u64; 2]);

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(redacted)")
    }
}

/// The mark of the text that proved a secret; zeros, which no text has, until it was proven.
#[derive(Default)]
pub(super) struct ProvenMark([AtomicU64; 2]);

impl ProvenMark {
    pub(super) fn set(&self, mark: Mark) {
        // A reader that sees one half without the other proves the secret again. All writers write the same.
        for (half, value) in self.0.iter().zip(mark.0) {
            half.store(value, Relaxed);
        }
    }

    /// Compares in constant time.
    pub(super) fn is(&self, mark: Mark) -> bool {
        let [first, second] = [0, 1].map(|half| self.0[half].load(Relaxed).ct_eq(&mark.0[half]));
        (first & second).into()
    }
}

impl fmt::Debug for ProvenMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvenMark(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        digest::Secret,
        id::KeyId,
        time::Timestamp,
        token::{ApiKey, issue},
    };

    fn api_key(secret: u8) -> ApiKey {
        issue("acme_live", KeyId::new(Timestamp::from_micros(0), [1; 10]), &Secret::new([secret; 32]))
    }

    fn mark(mark_key: &MarkKey, api_key: &ApiKey) -> Mark {
        mark_key.mark(&Presented::new(api_key.clone()).unwrap())
    }

    #[test]
    fn a_mark_matches_only_the_same_text() {
        let mark_key = MarkKey::new(&[1; 16]);
        let proven = ProvenMark::default();
        assert!(!proven.is(mark(&mark_key, &api_key(1))));
        proven.set(mark(&mark_key, &api_key(1)));
        assert!(proven.is(mark(&mark_key, &api_key(1))));
        assert!(!proven.is(mark(&mark_key, &api_key(2))));
        assert!(!proven.is(mark(&MarkKey::new(&[2; 16]), &api_key(1))), "marks differ between processes");
    }

    #[test]
    fn every_bit_of_a_mark_counts() {
        let kept = mark(&MarkKey::new(&[1; 16]), &api_key(1));
        let proven = ProvenMark::default();
        proven.set(kept);
        assert!(proven.is(kept));
        for bit in 0..128 {
            let mut other = kept;
            other.0[bit / 64] ^= 1 << (bit % 64);
            assert!(!proven.is(other), "bit {bit}");
        }
    }

    #[test]
    fn every_character_after_the_prefix_counts() {
        let mark_key = MarkKey::new(&[1; 16]);
        let proven = ProvenMark::default();
        let text = api_key(1).expose().to_owned();
        proven.set(mark(&mark_key, &api_key(1)));
        for at in text.len() - 72..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, if &text[at..=at] == "0" { "1" } else { "0" });
            // Some of these make the id invalid.
            if let Ok(presented) = Presented::new(ApiKey::new(other)) {
                assert!(!proven.is(mark_key.mark(&presented)), "character {at}");
            }
        }
    }

    #[test]
    fn nothing_prints_a_mark() {
        let mark_key = MarkKey::new(&[1; 16]);
        let proven = ProvenMark::default();
        let mark = mark(&mark_key, &api_key(1));
        proven.set(mark);
        let shown = format!("{mark_key:?} {mark:?} {proven:?}");
        assert_eq!(shown, "MarkKey(redacted) Mark(redacted) ProvenMark(redacted)");
    }
}
