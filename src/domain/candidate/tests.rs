//! What is known again, until when, and in how much room.

use std::time::Duration;

use super::*;
use crate::domain::{
    digest::Secret,
    key::{
        Sealed,
        tests::{at, key},
    },
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
        issue(&self.key.head, self.key.id, &Secret::new([seed; 32]))
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
