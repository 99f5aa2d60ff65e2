//! Secrets, the keyed digests that are stored in their place, and the peppers that key them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::id::KeyId;

/// The secret part of an API key: 256 random bits, wiped after use.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    pub(super) fn from_halves(high: &u128, low: &u128) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&high.to_be_bytes());
        bytes[16..].copy_from_slice(&low.to_be_bytes());
        Self(bytes)
    }

    pub(super) fn halves(&self) -> (Zeroizing<u128>, Zeroizing<u128>) {
        let half = |bytes: &[u8]| {
            let mut copy = Zeroizing::new([0; 16]);
            copy.copy_from_slice(bytes);
            Zeroizing::new(u128::from_be_bytes(*copy))
        };
        (half(&self.0[..16]), half(&self.0[16..]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// HMAC-SHA256 of a key's id and a secret: what the database holds.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time; there is no `==` on purpose.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(redacted)")
    }
}

pub type PepperVersion = u16;

/// Identifies a pepper, and reveals nothing about it or about any secret.
pub type PepperCheck = [u8; 32];

/// What is keyed for that: no id and secret are of this length, so it is no digest of any.
const CHECKED: &[u8] = b"keystile: which pepper this is";

/// The server-side HMAC keys, newest first.
#[derive(Clone)]
pub struct Peppers(Vec<(PepperVersion, Hmac<Sha256>)>);

impl Peppers {
    /// `None` without any pepper.
    pub fn new<'a>(newest_first: impl IntoIterator<Item = (PepperVersion, &'a [u8])>) -> Option<Self> {
        let peppers: Vec<_> = newest_first
            .into_iter()
            .map(|(version, key)| {
                (version, Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
            })
            .collect();
        (!peppers.is_empty()).then_some(Self(peppers))
    }

    pub fn newest(&self) -> PepperVersion {
        self.0[0].0
    }

    pub fn versions(&self) -> impl Iterator<Item = PepperVersion> {
        self.0.iter().map(|(version, _)| *version)
    }

    /// What each is known by.
    pub fn checks(&self) -> impl Iterator<Item = (PepperVersion, PepperCheck)> {
        self.0.iter().map(|(version, pepper)| {
            let mac = pepper.clone().chain_update(CHECKED);
            (*version, mac.finalize().into_bytes().into())
        })
    }

    /// The digest under the newest pepper.
    pub fn digest(&self, id: KeyId, secret: &Secret) -> Digest {
        keyed(&self.0[0].1, id, secret)
    }

    /// The digest under the pepper of `version`; `None` when that is not configured.
    pub fn digest_with(&self, version: PepperVersion, id: KeyId, secret: &Secret) -> Option<Digest> {
        let (_, pepper) = self.0.iter().find(|(configured, _)| *configured == version)?;
        Some(keyed(pepper, id, secret))
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peppers").field(&self.versions().collect::<Vec<_>>()).finish()
    }
}

fn keyed(pepper: &Hmac<Sha256>, id: KeyId, secret: &Secret) -> Digest {
    let mut mac = pepper.clone();
    mac.update(id.as_uuid().as_bytes());
    mac.update(&secret.0);
    Digest(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn id(seed: u8) -> KeyId {
        KeyId::new(Timestamp::from_micros(0), [seed; 10])
    }

    #[test]
    fn the_digest_depends_on_pepper_id_and_secret() {
        let peppers = Peppers::new([(2, &b"new pepper"[..]), (1, &b"old pepper"[..])]).unwrap();
        let digest = peppers.digest(id(1), &Secret::new([1; 32]));
        assert!(digest.matches(&peppers.digest_with(2, id(1), &Secret::new([1; 32])).unwrap()));
        assert!(!digest.matches(&peppers.digest_with(1, id(1), &Secret::new([1; 32])).unwrap()));
        assert!(!digest.matches(&peppers.digest(id(2), &Secret::new([1; 32]))));
        assert!(!digest.matches(&peppers.digest(id(1), &Secret::new([2; 32]))));
        assert!(peppers.digest_with(3, id(1), &Secret::new([1; 32])).is_none());
    }

    #[test]
    fn every_bit_of_a_digest_counts() {
        let peppers = Peppers::new([(1, &b"pepper"[..])]).unwrap();
        let digest = peppers.digest(id(1), &Secret::new([1; 32]));
        for bit in 0..256 {
            let mut other = *digest.as_bytes();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!digest.matches(&Digest::from_bytes(other)), "bit {bit}");
            assert!(!Digest::from_bytes(other).matches(&digest), "bit {bit}");
        }
    }

    #[test]
    fn every_bit_of_a_secret_and_of_an_id_counts() {
        let peppers = Peppers::new([(1, &b"pepper"[..])]).unwrap();
        let digest = peppers.digest(id(1), &Secret::new([1; 32]));
        for bit in 0..256 {
            let mut other = [1; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!digest.matches(&peppers.digest(id(1), &Secret::new(other))), "bit {bit}");
        }
        for bit in 0..80 {
            let mut random = [1; 10];
            random[bit / 8] ^= 1 << (bit % 8);
            let other = KeyId::new(Timestamp::from_micros(0), random);
            // Six bits are fixed by version and variant.
            let same = other == id(1);
            assert_eq!(digest.matches(&peppers.digest(other, &Secret::new([1; 32]))), same, "bit {bit}");
        }
    }

    #[test]
    fn the_newest_pepper_is_the_first() {
        let peppers = Peppers::new([(7, &b"new"[..]), (3, &b"old"[..])]).unwrap();
        assert_eq!(peppers.newest(), 7);
        assert_eq!(peppers.versions().collect::<Vec<_>>(), [7, 3]);
        assert!(Peppers::new([]).is_none());
    }

    /// Stored digests must stay valid when the code changes.
    #[test]
    fn a_digest_is_hmac_sha256_of_id_and_secret() {
        let peppers = Peppers::new([(1, &b"pepper"[..])]).unwrap();
        let id = KeyId::from_uuid(uuid::uuid!("01890a5d-ac96-774b-bcce-b302099a8057")).unwrap();
        let expected = [
            0x5c, 0x75, 0xb4, 0x86, 0xb2, 0x71, 0xaf, 0x50, 0xa1, 0xce, 0x7d, 0x6e, 0xe7, 0xbc, 0x0f, 0x45,
            0x9d, 0x91, 0x47, 0xb4, 0xcb, 0x3b, 0x87, 0xbe, 0xbd, 0x45, 0x5c, 0x3a, 0x60, 0xf7, 0xfc, 0x6e,
        ];
        assert_eq!(peppers.digest(id, &Secret::new([7; 32])).as_bytes(), &expected);
    }

    #[test]
    fn a_fingerprint_depends_on_the_pepper_and_not_on_its_version() {
        let checks = |peppers: &[(PepperVersion, &[u8])]| -> Vec<_> {
            Peppers::new(peppers.iter().copied()).unwrap().checks().collect()
        };
        let both = checks(&[(2, b"new pepper"), (1, b"old pepper")]);
        assert_eq!(both, [checks(&[(2, b"new pepper")]), checks(&[(1, b"old pepper")])].concat());
        assert_ne!(both[0].1, both[1].1);
        assert_eq!(checks(&[(1, b"new pepper")])[0].1, both[0].1);
        assert_ne!(CHECKED.len(), 16 + 32, "the length of an id and a secret");
    }

    #[test]
    fn nothing_prints_a_pepper() {
        let peppers = Peppers::new([(7, &b"pepper"[..])]).unwrap();
        assert_eq!(format!("{peppers:?}"), "Peppers([7])");
    }

    #[test]
    fn nothing_prints_a_secret_or_a_digest() {
        let shown = format!("{:?} {:?}", Secret::new([1; 32]), Digest::from_bytes([1; 32]));
        assert_eq!(shown, "Secret(redacted) Digest(redacted)");
    }
}
