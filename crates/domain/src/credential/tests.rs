//! Which API keys a credential recognises, for how long, and its size.

use std::time::Duration;

use ipnet::IpNet;

use super::*;
use crate::{
    digest::{Digest, Secret},
    key::{
        Sealed, StoredSecret,
        sample::{at, key},
    },
    labels::Customer,
    token::{ApiKey, issue},
};

struct Presenter {
    key: Key,
    peppers: Peppers,
    mark_key: MarkKey,
}

impl Presenter {
    fn new() -> Self {
        let peppers = Peppers::new([(1, &b"pepper"[..])]).unwrap();
        let mark_key = MarkKey::new(&[7; 16]);
        let mut presenter = Self { key: key(None, false), peppers, mark_key };
        presenter.key.secrets = vec![StoredSecret::new(1, presenter.sealed(1), at(0))];
        presenter
    }

    fn sealed(&self, seed: u8) -> Sealed {
        Sealed { digest: self.peppers.digest(self.key.id, &Secret::new([seed; 32])), pepper: 1 }
    }

    fn api_key(&self, seed: u8) -> ApiKey {
        issue(&self.key.token_prefix, self.key.id, &Secret::new([seed; 32]))
    }

    fn credential(&self) -> Credential {
        Credential::new(&self.key, false).unwrap()
    }

    fn recognised(&self, credential: &Credential, seed: u8, second: i64) -> Option<i32> {
        let api_key = self.api_key(seed);
        let presented = Presented::new(api_key).unwrap();
        credential.recognise(&presented, &self.mark_key, at(second)).map(|secret| secret.version)
    }

    fn proven(&self, credential: &Credential, seed: u8, second: i64) -> Option<i32> {
        let api_key = self.api_key(seed);
        let presented = Presented::new(api_key).unwrap();
        let secret = credential.prove(&presented.token().unwrap(), &self.peppers, at(second))?;
        secret.remember(self.mark_key.mark(&presented));
        Some(secret.version)
    }
}

#[test]
fn only_a_proven_text_is_recognised() {
    let presenter = Presenter::new();
    let credential = presenter.credential();
    assert_eq!(presenter.recognised(&credential, 1, 1), None);
    assert_eq!(presenter.proven(&credential, 2, 1), None);
    assert_eq!(presenter.recognised(&credential, 2, 1), None);
    assert_eq!(presenter.proven(&credential, 1, 1), Some(1));
    assert_eq!(presenter.recognised(&credential, 1, 2), Some(1));
    assert_eq!(presenter.recognised(&credential, 2, 2), None);
}

/// For the newest secret and for the one in its grace period.
#[test]
fn every_bit_of_a_stored_digest_counts() {
    let mut presenter = Presenter::new();
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    for (place, seed) in [(0, 2), (1, 1)] {
        let stored = presenter.key.secrets[place].digest;
        assert_eq!(presenter.proven(&presenter.credential(), seed, 1), Some(i32::from(seed)));
        for bit in 0..256 {
            let mut other = *stored.as_bytes();
            other[bit / 8] ^= 1 << (bit % 8);
            presenter.key.secrets[place].digest = Digest::from_bytes(other);
            assert_eq!(presenter.proven(&presenter.credential(), seed, 1), None, "bit {bit}");
        }
        presenter.key.secrets[place].digest = stored;
    }
}

#[test]
fn a_secret_under_a_missing_pepper_proves_nothing() {
    let mut presenter = Presenter::new();
    presenter.key.secrets[0].pepper = 2;
    assert_eq!(presenter.proven(&presenter.credential(), 1, 1), None);
}

#[test]
fn another_prefix_or_tag_is_another_api_key() {
    let presenter = Presenter::new();
    let credential = presenter.credential();
    assert_eq!(presenter.proven(&credential, 1, 1), Some(1));
    for prefix in ["acme_stage", "acmf_live", "acme_liv", "acme_livee"] {
        assert_ne!(presenter.key.token_prefix, prefix);
        let api_key = issue(prefix, presenter.key.id, &Secret::new([1; 32]));
        let presented = Presented::new(api_key).unwrap();
        assert!(credential.recognise(&presented, &presenter.mark_key, at(1)).is_none(), "{prefix}");
        let token = presented.token().unwrap();
        assert!(credential.prove(&token, &presenter.peppers, at(1)).is_none(), "{prefix}");
        // A proven secret is not recognised with another prefix either.
        let proven = presenter.api_key(1);
        let (_, body) = proven.expose().rsplit_once('_').unwrap();
        let api_key = ApiKey::new(format!("{prefix}_{body}"));
        let presented = Presented::new(api_key).unwrap();
        assert!(credential.recognise(&presented, &presenter.mark_key, at(1)).is_none(), "{prefix}");
    }
}

#[test]
fn a_proof_ends_with_the_earlier_of_key_and_secret() {
    let mut presenter = Presenter::new();
    let end = |presenter: &Presenter, version| presenter.credential().end_of(version);
    assert_eq!(end(&presenter, 1), None);
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(10)), None));
    presenter.key.expire_time = Some(at(20));
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(10)), Some(at(20))));
    presenter.key.expire_time = Some(at(5));
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(5)), Some(at(5))));
    let credential = presenter.credential();
    assert!(credential.secret(3).is_none());
    assert_eq!([1, 2, 3].map(|version| credential.supersedes(version)), [true, false, false]);
}

/// The capacity of the cache is counted by this size.
#[test]
fn the_size_grows_with_the_content() {
    let mut presenter = Presenter::new();
    let bare = presenter.credential().size();
    assert_eq!(bare, size_of::<Credential>());
    presenter.key.allowed_cidrs = vec!["10.0.0.0/8".parse().unwrap(); 10];
    let networks = presenter.credential().size();
    assert!(networks >= bare + 10 * size_of::<IpNet>());
    presenter.key.customers = vec!["x".repeat(100).parse().unwrap(); 10];
    let customers = presenter.credential().size();
    assert_eq!(customers, networks + 10 * (100 + size_of::<Customer>()));
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    assert_eq!(presenter.credential().size(), customers + size_of::<FormerSecret>());
}

#[test]
fn a_deleted_key_and_one_without_secrets_have_no_credential() {
    let mut presenter = Presenter::new();
    let deleted = presenter.key.clone().delete(Default::default(), at(1)).unwrap();
    assert!(Credential::new(&deleted, false).is_none());
    presenter.key.secrets.clear();
    assert!(Credential::new(&presenter.key, false).is_none());
}

#[test]
fn a_secret_is_recognised_until_its_grace_ends() {
    let mut presenter = Presenter::new();
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    let credential = presenter.credential();
    for (seed, version) in [(1, 1), (2, 2)] {
        assert_eq!(presenter.proven(&credential, seed, 9), Some(version));
        assert_eq!(presenter.recognised(&credential, seed, 9), Some(version));
    }
    assert_eq!(presenter.recognised(&credential, 1, 10), None);
    assert_eq!(presenter.recognised(&credential, 2, 10), Some(2));
}

#[test]
fn uses_within_a_tenth_of_a_second_are_one() {
    let credential = Presenter::new().credential();
    let secret = credential.secret(1).unwrap();
    let millis = |millis: i64| Timestamp::from_micros(5_000_000 + 1_000 * millis);
    assert!(secret.note_use(Timestamp::from_micros(1)), "the first use counts at any time");
    secret.take_use();
    assert!(secret.note_use(millis(0)));
    assert!(!secret.note_use(millis(99)));
    assert_eq!(secret.take_use(), Some(millis(0)));
    assert!(secret.note_use(millis(99)), "the first use since the last one was taken");
    assert!(!secret.note_use(millis(300)));
    assert!(!secret.note_use(millis(1)), "an earlier time does not count");
    assert_eq!(secret.take_use(), Some(millis(300)));
    assert_eq!(secret.take_use(), None);
    assert!(secret.note_use(millis(0)));
    assert!(!secret.note_use(millis(100)), "the recorder has the first use");
    assert_eq!(secret.take_use(), Some(millis(100)), "a use after a tenth of a second counts too");
}

/// The number of cached keys depends on the size.
#[test]
fn the_type_is_small() {
    assert_eq!(size_of::<Credential>(), 96);
}
