//! What a verification and an authentication hand to the recorder; a denied one hands over nothing but its code.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use domain::{
    access::Endpoint,
    credential::Credential,
    decision::Code,
    digest::{PepperVersion, Secret},
    freshness::{Freshness, Point, Stamp},
    id::{KeyId, ProjectId},
    key::{
        Key,
        sample::{at, key},
    },
    shared_access::CurrentAccess,
    token::issue,
};

use super::*;
use crate::ports::{
    credentials::{CachedKey, EncodedKey},
    recorder::Rehash,
};

#[derive(Debug, PartialEq, Eq)]
enum Effect {
    Decided(Code),
    Used(KeyId, i32),
    /// A rehash from one pepper to another.
    Rehashed(KeyId, PepperVersion, PepperVersion),
}
use Effect::{Decided, Rehashed, Used};

#[derive(Debug, Default)]
struct Effects(Mutex<Vec<Effect>>);

impl Effects {
    fn note(&self, effect: Effect) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }

    fn take(&self) -> Vec<Effect> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for Effects {
    fn decided(&self, code: Code) {
        self.note(Decided(code));
    }

    fn used(&self, id: KeyId, _key: Arc<CachedKey>, secret_version: i32) {
        self.note(Used(id, secret_version));
    }

    fn rehashed(&self, rehash: Rehash) {
        self.note(Rehashed(rehash.key, rehash.replaces, rehash.sealed.pepper));
    }
}

#[derive(Debug)]
struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(1)
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _span: Duration) {}
}

/// One key, cached at revision 5, or the information that there is none.
#[derive(Debug)]
struct Known {
    key: Option<Arc<CachedKey>>,
    /// A change overtakes so many reads.
    overtaken: AtomicUsize,
    looked_up: AtomicUsize,
}

impl Known {
    fn snapshot(&self) -> Snapshot {
        let freshness = Freshness::new(1, 0);
        let stamp = freshness.stamp(Point::new(freshness.era(), 5), &[]);
        Snapshot {
            key: self.key.clone(),
            access: CurrentAccess::NONE,
            revision: 5,
            age: Duration::ZERO,
            degraded: false,
            stamp,
        }
    }
}

impl Credentials for Known {
    fn cached(&self, _id: KeyId, _uptime: Duration) -> Option<Snapshot> {
        self.looked_up.fetch_add(1, SeqCst);
        Some(self.snapshot())
    }

    async fn read(&self, _id: KeyId) -> Result<Snapshot, StoreError> {
        Ok(self.snapshot())
    }

    fn is_unchanged(&self, _stamp: &Stamp) -> bool {
        self.overtaken.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err()
    }

    fn is_current(&self, _stamp: &Stamp, _uptime: Duration) -> bool {
        true
    }

    async fn reach(&self, _revision: Revision, _patience: Duration) -> Result<(), Revision> {
        Ok(())
    }
}

struct Case {
    id: KeyId,
    api_key: ApiKey,
    effects: Arc<Effects>,
    verifier: Verifier<Known>,
}

impl Case {
    /// Its secret is under the pepper 1; `newest` is the newest pepper.
    fn new(newest: PepperVersion, edit: impl FnOnce(&mut Key)) -> Self {
        let peppers = [(newest, &b"new"[..]), (1, &b"old"[..])];
        let peppers = Peppers::new(peppers.into_iter().skip(usize::from(newest == 1))).unwrap();
        let (mut key, secret) = (key(None, false), Secret::new([1; 32]));
        key.secrets[0].digest = peppers.digest_with(1, key.id, &secret).unwrap();
        edit(&mut key);
        let cached =
            CachedKey { credential: Credential::new(&key, false).unwrap(), encoded: EncodedKey::default() };
        let effects = Arc::new(Effects::default());
        let verifier = Verifier::new(
            Arc::new(Known {
                key: Some(Arc::new(cached)),
                overtaken: AtomicUsize::new(0),
                looked_up: AtomicUsize::new(0),
            }),
            Arc::new(Still),
            Arc::new(peppers),
            MarkKey::new(&[7; 16]),
            effects.clone(),
        );
        Self { id: key.id, api_key: issue(&key.token_prefix, key.id, &secret), effects, verifier }
    }

    async fn verify(&self, api_key: &ApiKey) -> Decision {
        self.verifier.verify(&Projects::All, request(api_key, 0)).await.unwrap()
    }

    /// As the recorder does when it writes the use.
    fn take_use(&self) {
        let key = self.verifier.credentials.key.as_ref().unwrap();
        assert_eq!(key.credential.secret(1).unwrap().take_use(), Some(at(1)));
    }
}

fn request(api_key: &ApiKey, min_revision: Revision) -> VerifyRequest {
    let question = Question::default();
    VerifyRequest { api_key: api_key.clone(), question, min_revision, patience: Duration::ZERO }
}

#[tokio::test]
async fn the_first_of_several_uses_is_recorded_with_its_new_digest() {
    for (newest, rehashed) in [(1, false), (2, true)] {
        let case = Case::new(newest, |_| {});
        let mut first = vec![Used(case.id, 1), Decided(Code::Valid)];
        if rehashed {
            first.insert(1, Rehashed(case.id, 1, 2));
        }
        case.verify(&case.api_key).await;
        assert_eq!(case.effects.take(), first);
        case.verify(&case.api_key).await;
        assert_eq!(case.effects.take(), [Decided(Code::Valid)]);
        case.take_use();
        case.verify(&case.api_key).await;
        assert_eq!(case.effects.take(), first);
    }
}

#[tokio::test]
async fn a_denial_is_counted_and_is_not_a_use() {
    let case = Case::new(2, |key| key.disable_time = Some(at(0)));
    assert_eq!(case.verify(&case.api_key).await.code, Code::Disabled);
    assert_eq!(case.effects.take(), [Decided(Code::Disabled)]);
    let wrong = issue("acme_live", case.id, &Secret::new([2; 32]));
    assert_eq!(case.verify(&wrong).await.code, Code::NotFound);
    assert_eq!(case.effects.take(), [Decided(Code::NotFound)]);
}

/// The decision rests on no state, so it has no revision.
#[tokio::test]
async fn a_malformed_text_is_denied_without_a_revision() {
    let case = Case::new(2, |_| {});
    let text = case.api_key.expose();
    let last = if text.ends_with('0') { "1" } else { "0" };
    for malformed in ["nonsense".to_owned(), format!("{}{last}", &text[..text.len() - 1])] {
        let decision = case.verify(&ApiKey::new(malformed)).await;
        assert_eq!((decision.code, decision.revision), (Code::Malformed, 0));
        assert_eq!(case.effects.take(), [Decided(Code::Malformed)]);
    }
}

#[tokio::test]
async fn no_decision_is_older_than_min_revision() {
    let case = Case::new(1, |_| {});
    let moment = case.verifier.moment();
    assert!(case.verifier.verify_cached(&Projects::All, request(&case.api_key, 5), moment).is_ok());
    case.effects.take();
    let miss = case.verifier.verify_cached(&Projects::All, request(&case.api_key, 6), moment).unwrap_err();
    let Err(Error::RevisionNotReached { min_revision: 6, revision: 5 }) =
        case.verifier.verify_miss(&Projects::All, miss).await
    else {
        panic!("the read is older than min_revision");
    };
    assert_eq!(case.effects.take(), []);
}

#[tokio::test]
async fn only_keys_of_the_system_project_authenticate() {
    let case = Case::new(2, |_| {});
    assert!(case.verifier.authenticate(case.api_key.clone(), None).await.unwrap().is_none());
    assert_eq!(case.effects.take(), []);
    let case = Case::new(2, |key| key.project = ProjectId::system());
    assert!(case.verifier.authenticate(case.api_key.clone(), None).await.unwrap().is_some());
    assert_eq!(
        case.effects.take(),
        [Used(case.id, 1), Rehashed(case.id, 1, 2)],
        "it is no decision of Verify"
    );
}

#[tokio::test]
async fn a_session_counts_as_a_use_and_keeps_the_address_of_its_peer() {
    let case = Case::new(1, |key| {
        key.project = ProjectId::system();
        key.allowed_cidrs = vec!["10.0.0.0/8".parse().unwrap()];
    });
    let [inside, outside] = [[10, 0, 0, 1], [192, 0, 2, 1]].map(|it| Some(it.into()));
    for peer in [outside, None] {
        assert!(case.verifier.authenticate(case.api_key.clone(), peer).await.unwrap().is_none());
    }
    let session = case.verifier.authenticate(case.api_key.clone(), inside).await.unwrap().unwrap();
    assert!(case.verifier.renew(&session).await.unwrap().is_some());
    case.take_use();
    case.effects.take();
    let moment = case.verifier.moment();
    assert!(case.verifier.is_still_valid(&session, moment));
    case.verifier.note_session(&session, moment);
    assert_eq!(case.effects.take(), [Used(case.id, 1)]);
}

/// Each proof is a read, and no number of changes makes one call read without end.
#[tokio::test]
async fn a_caller_that_keeps_changing_is_proven_a_few_times() {
    let case = Case::new(1, |key| key.project = ProjectId::system());
    let session = case.verifier.authenticate(case.api_key.clone(), None).await.unwrap().unwrap();
    let known = &case.verifier.credentials;
    for (overtaken, proofs, is_renewed) in [(0, 1, true), (2, 3, true), (1000, 3, false)] {
        known.overtaken.store(overtaken, SeqCst);
        known.looked_up.store(0, SeqCst);
        let renewed = case.verifier.renew(&session).await;
        assert_eq!(known.looked_up.load(SeqCst), proofs);
        match renewed {
            Ok(renewed) => assert_eq!(renewed.is_some(), is_renewed),
            Err(Error::Store(StoreError::Unavailable(_))) => assert!(!is_renewed),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// An ambiguous path is the reason only if the permission is missing.
#[tokio::test]
async fn an_ambiguous_path_does_not_hide_that_a_key_is_disabled() {
    for (disable_time, code, is_reason) in
        [(None, Code::MissingPermission, true), (Some(at(0)), Code::Disabled, false)]
    {
        let case = Case::new(1, |key| key.disable_time = disable_time);
        let endpoint = Some(Endpoint::new("GET".to_owned(), "/a/../b".to_owned()));
        let question = Question { endpoint, ..Question::default() };
        let asked = VerifyRequest { question, ..request(&case.api_key, 0) };
        let decision = case.verifier.verify(&Projects::All, asked).await.unwrap();
        assert_eq!((decision.code, decision.ambiguity.is_some()), (code, is_reason));
    }
}
