//! Knowing an API key again that was proven before, at a fraction of the cost of proving it.
//!
//! A proven secret keeps a mark of the text that carried it: 128 bits of SipHash-2-4 under a key that the
//! process drew at its start. Whoever presents the same text gives the same mark; any other text has one
//! chance in 2^128. A mark is of no use outside of the process, and never leaves it.

use std::{
    fmt,
    hash::Hasher,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use siphasher::sip128::{Hasher128, SipHasher24};
use subtle::ConstantTimeEq;

use super::token::Presented;

#[derive(Clone, Copy)]
pub struct Recognition(SipHasher24);

impl Recognition {
    pub fn new(random: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(random))
    }

    /// Of the id, the secret and the checksum.
    pub fn mark(&self, presented: &Presented<'_>) -> Mark {
        let mut hasher = self.0;
        hasher.write(presented.parts().1);
        let hash = hasher.finish128();
        Mark([hash.h1, hash.h2])
    }
}

impl fmt::Debug for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recognition(redacted)")
    }
}

#[derive(Clone, Copy)]
pub struct Mark([u64; 2]);

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(redacted)")
    }
}

/// The mark of a secret, once it was proven; until then zeros, which are the mark of nothing.
#[derive(Default)]
pub(super) struct Memory([AtomicU64; 2]);

impl Memory {
    pub(super) fn keep(&self, mark: Mark) {
        // Who sees one half without the other proves the secret anew. All who write write the same.
        for (half, value) in self.0.iter().zip(mark.0) {
            half.store(value, Relaxed);
        }
    }

    /// Compares in constant time.
    pub(super) fn holds(&self, mark: Mark) -> bool {
        let [first, second] = [0, 1].map(|half| self.0[half].load(Relaxed).ct_eq(&mark.0[half]));
        (first & second).into()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory(redacted)")
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

    fn mark(recognition: &Recognition, api_key: &ApiKey) -> Mark {
        recognition.mark(&Presented::of(api_key).unwrap())
    }

    #[test]
    fn knows_the_same_text_again_and_no_other() {
        let recognition = Recognition::new(&[1; 16]);
        let memory = Memory::default();
        assert!(!memory.holds(mark(&recognition, &api_key(1))));
        memory.keep(mark(&recognition, &api_key(1)));
        assert!(memory.holds(mark(&recognition, &api_key(1))));
        assert!(!memory.holds(mark(&recognition, &api_key(2))));
        assert!(!memory.holds(mark(&Recognition::new(&[2; 16]), &api_key(1))), "marks are of one process");
    }

    #[test]
    fn every_bit_of_a_mark_counts() {
        let kept = mark(&Recognition::new(&[1; 16]), &api_key(1));
        let memory = Memory::default();
        memory.keep(kept);
        assert!(memory.holds(kept));
        for bit in 0..128 {
            let mut other = kept;
            other.0[bit / 64] ^= 1 << (bit % 64);
            assert!(!memory.holds(other), "bit {bit}");
        }
    }

    #[test]
    fn every_character_behind_the_head_counts() {
        let recognition = Recognition::new(&[1; 16]);
        let memory = Memory::default();
        let text = api_key(1).expose().to_owned();
        memory.keep(mark(&recognition, &api_key(1)));
        for at in text.len() - 72..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, if &text[at..=at] == "0" { "1" } else { "0" });
            // Some of these make the id none.
            if let Ok(presented) = Presented::of(&ApiKey::new(other)) {
                assert!(!memory.holds(recognition.mark(&presented)), "character {at}");
            }
        }
    }

    #[test]
    fn nothing_prints_a_mark() {
        let recognition = Recognition::new(&[1; 16]);
        let memory = Memory::default();
        let mark = mark(&recognition, &api_key(1));
        memory.keep(mark);
        let shown = format!("{recognition:?} {mark:?} {memory:?}");
        assert_eq!(shown, "Recognition(redacted) Mark(redacted) Memory(redacted)");
    }
}
