//! What is known again, until when, and in how much room.

use std::time::Duration;

use super::*;
use crate::{
    digest::Secret,
    id::ProjectId,
    key::{
        Revocation, Sealed,
        sample::{at, key},
    },
    text::Reason,
    token::{ApiKey, issue},
};

struct Presenter {
    key: Key,
    peppers: Peppers,
    recognition: Recognition,
}

impl Presenter {
    fn new() -> Self {
        let peppers = Peppers::new([(1, &b"pepper"[..])]).unwrap();
        let recognition = Recognition::new(&[7; 16]);
        let mut presenter = Self { key: key(None, false), peppers, recognition };
        presenter.key.secrets = vec![StoredSecret::new(1, presenter.sealed(1), at(0))];
        presenter
    }

    fn sealed(&self, seed: u8) -> Sealed {
        Sealed { digest: self.peppers.digest(self.key.id, &Secret::new([seed; 32])), pepper: 1 }
    }

    fn api_key(&self, seed: u8) -> ApiKey {
        issue(&self.key.token_prefix, self.key.id, &Secret::new([seed; 32]))
    }

    fn candidate(&self) -> Candidate {
        Candidate::new(&self.key, false, b"answer").unwrap()
    }

    fn recognised(&self, candidate: &Candidate, seed: u8, second: i64) -> Option<i32> {
        let api_key = self.api_key(seed);
        let presented = Presented::of(&api_key).unwrap();
        candidate.recognise(&presented, &self.recognition, at(second)).map(|secret| secret.version)
    }

    fn proven(&self, candidate: &Candidate, seed: u8, second: i64) -> Option<i32> {
        let api_key = self.api_key(seed);
        let presented = Presented::of(&api_key).unwrap();
        let secret = candidate.prove(&presented.token().unwrap(), &self.peppers, at(second))?;
        secret.remember(self.recognition.mark(&presented));
        Some(secret.version)
    }
}

#[test]
fn what_was_proven_is_known_again_and_nothing_else_is() {
    let presenter = Presenter::new();
    let candidate = presenter.candidate();
    assert_eq!(presenter.recognised(&candidate, 1, 1), None);
    assert_eq!(presenter.proven(&candidate, 2, 1), None);
    assert_eq!(presenter.recognised(&candidate, 2, 1), None);
    assert_eq!(presenter.proven(&candidate, 1, 1), Some(1));
    assert_eq!(presenter.recognised(&candidate, 1, 2), Some(1));
    assert_eq!(presenter.recognised(&candidate, 2, 2), None);
}

/// Of the secret in force and of the one in grace.
#[test]
fn every_bit_of_a_stored_digest_counts() {
    let mut presenter = Presenter::new();
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    for (place, seed) in [(0, 2), (1, 1)] {
        let stored = presenter.key.secrets[place].digest;
        assert_eq!(presenter.proven(&presenter.candidate(), seed, 1), Some(i32::from(seed)));
        for bit in 0..256 {
            let mut other = *stored.as_bytes();
            other[bit / 8] ^= 1 << (bit % 8);
            presenter.key.secrets[place].digest = Digest::from_bytes(other);
            assert_eq!(presenter.proven(&presenter.candidate(), seed, 1), None, "bit {bit}");
        }
        presenter.key.secrets[place].digest = stored;
    }
}

#[test]
fn a_secret_under_a_pepper_that_is_not_there_proves_nothing() {
    let mut presenter = Presenter::new();
    presenter.key.secrets[0].pepper = 2;
    assert_eq!(presenter.proven(&presenter.candidate(), 1, 1), None);
}

#[test]
fn another_prefix_or_tag_is_another_api_key() {
    let presenter = Presenter::new();
    let candidate = presenter.candidate();
    assert_eq!(presenter.proven(&candidate, 1, 1), Some(1));
    for head in ["acme_stage", "acmf_live", "acme_liv", "acme_livee"] {
        assert_ne!(presenter.key.token_prefix, head);
        let api_key = issue(head, presenter.key.id, &Secret::new([1; 32]));
        let presented = Presented::of(&api_key).unwrap();
        assert!(candidate.recognise(&presented, &presenter.recognition, at(1)).is_none(), "{head}");
        let token = presented.token().unwrap();
        assert!(candidate.prove(&token, &presenter.peppers, at(1)).is_none(), "{head}");
        // Nor is what was proven known again behind another head.
        let proven = presenter.api_key(1);
        let (_, body) = proven.expose().rsplit_once('_').unwrap();
        let api_key = ApiKey::new(format!("{head}_{body}"));
        let presented = Presented::of(&api_key).unwrap();
        assert!(candidate.recognise(&presented, &presenter.recognition, at(1)).is_none(), "{head}");
    }
}

#[test]
fn a_proof_ends_with_the_key_or_the_secret_whichever_is_first() {
    let mut presenter = Presenter::new();
    let end = |presenter: &Presenter, version| {
        let candidate = presenter.candidate();
        candidate.end_of(candidate.secret(version).unwrap())
    };
    assert_eq!(end(&presenter, 1), None);
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(10)), None));
    presenter.key.expire_time = Some(at(20));
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(10)), Some(at(20))));
    presenter.key.expire_time = Some(at(5));
    assert_eq!((end(&presenter, 1), end(&presenter, 2)), (Some(at(5)), Some(at(5))));
    let candidate = presenter.candidate();
    assert!(candidate.secret(3).is_none());
    assert_eq!([1, 2, 3].map(|version| candidate.supersedes(version)), [true, false, false]);
}

#[test]
fn it_has_the_state_of_the_key_and_its_owner() {
    let mut key = Presenter::new().key;
    let state = |key: &Key, owner_disabled| {
        let candidate = Candidate::new(key, owner_disabled, b"").unwrap();
        (candidate.revoked, candidate.disabled, candidate.owner_disabled)
    };
    assert_eq!(state(&key, false), (false, false, false));
    assert_eq!(state(&key, true), (false, false, true));
    key.disable_time = Some(at(1));
    assert_eq!(state(&key, false), (false, true, false));
    key.revocation = Some(Revocation { time: at(1), reason: Reason::default() });
    assert_eq!(state(&key, false), (true, true, false));
}

#[test]
fn only_keys_of_the_system_project_let_callers_in() {
    let mut key = Presenter::new().key;
    assert_eq!(Candidate::new(&key, false, b"").unwrap().caller(), None);
    key.project = ProjectId::system();
    assert_eq!(Candidate::new(&key, false, b"").unwrap().caller(), Some(&key.service_account));
}

/// What the capacity of a cache is counted by.
#[test]
fn its_size_grows_with_what_it_holds() {
    let mut presenter = Presenter::new();
    let bare = presenter.candidate().size();
    assert!(bare >= size_of::<Candidate>() + "acme_live".len() + b"answer".len());
    assert_eq!(Candidate::new(&presenter.key, false, &[0; 1006]).unwrap().size(), bare + 1000);
    presenter.key.allowed_cidrs = vec!["10.0.0.0/8".parse().unwrap(); 10];
    let networks = presenter.candidate().size();
    assert!(networks >= bare + 10 * size_of::<IpNet>());
    presenter.key.customers = vec!["x".repeat(100).parse().unwrap(); 10];
    assert_eq!(presenter.candidate().size(), networks + 10 * (100 + size_of::<Customer>()));
}

#[test]
fn a_deleted_key_and_one_without_secrets_are_no_candidates() {
    let mut presenter = Presenter::new();
    let deleted = presenter.key.clone().delete(Default::default(), at(1)).unwrap();
    assert!(Candidate::new(&deleted, false, b"").is_none());
    presenter.key.secrets.clear();
    assert!(Candidate::new(&presenter.key, false, b"").is_none());
}

#[test]
fn a_secret_is_known_again_until_its_grace_ends() {
    let mut presenter = Presenter::new();
    let sealed = presenter.sealed(2);
    presenter.key = presenter.key.rotate(sealed, Duration::from_secs(10), at(0)).unwrap();
    let candidate = presenter.candidate();
    for (seed, version) in [(1, 1), (2, 2)] {
        assert_eq!(presenter.proven(&candidate, seed, 9), Some(version));
        assert_eq!(presenter.recognised(&candidate, seed, 9), Some(version));
    }
    assert_eq!(presenter.recognised(&candidate, 1, 10), None);
    assert_eq!(presenter.recognised(&candidate, 2, 10), Some(2));
}

#[test]
fn uses_within_a_tenth_of_a_second_are_one() {
    let candidate = Presenter::new().candidate();
    let secret = candidate.secret(1).unwrap();
    let millis = |millis: i64| Timestamp::from_micros(5_000_000 + 1_000 * millis);
    assert!(secret.note_use(Timestamp::from_micros(1)), "whatever the time");
    secret.take_use();
    assert!(secret.note_use(millis(0)));
    assert!(!secret.note_use(millis(99)));
    assert_eq!(secret.take_use(), Some(millis(0)));
    assert!(secret.note_use(millis(99)), "the first since");
    assert!(!secret.note_use(millis(300)));
    assert!(!secret.note_use(millis(1)), "time does not go back");
    assert_eq!(secret.take_use(), Some(millis(300)));
    assert_eq!(secret.take_use(), None);
}

/// How many keys a cache holds depends on it.
#[test]
fn it_is_small() {
    assert!(size_of::<Candidate>() <= 112, "{} bytes", size_of::<Candidate>());
}
