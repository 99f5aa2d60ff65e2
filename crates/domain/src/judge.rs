//! The judgement of a verification: pure, from what is known of a key and the API key presented to a code.

use std::sync::Arc;

use super::{
    access::Access,
    credential::{Credential, CredentialSecret},
    decision::{Case, Code, Question, decide},
    digest::Peppers,
    mark::MarkKey,
    time::Timestamp,
    token::{Malformed, Presented},
};

/// What proves API keys: the peppers that key the stored digests, and the key of the marks that spare an HMAC for API
/// keys proven before.
#[derive(Debug)]
pub struct Prover {
    pub peppers: Arc<Peppers>,
    pub mark_key: MarkKey,
}

#[derive(Debug)]
pub struct Judgement<'a> {
    pub code: Code,
    /// The secret that the API key proved; `None` when it proved none.
    pub secret: Option<&'a CredentialSecret>,
}

impl Judgement<'_> {
    fn unproven(code: Code) -> Self {
        Self { code, secret: None }
    }
}

/// Judges by the API key only; `None` when its key must be read first.
pub fn judge_unread(presented: &Presented) -> Option<Judgement<'static>> {
    presented.token().is_err().then(|| Judgement::unproven(Code::Malformed))
}

/// Judges by the `credential` that was read, with what it may do; it is `None` when there is no such key.
pub fn judge<'a>(
    prover: &Prover,
    credential: Option<(&'a Credential, &Access)>,
    presented: &Presented,
    question: &Question,
    now: Timestamp,
) -> Judgement<'a> {
    let Some((credential, access)) = credential else {
        return judge_unread(presented).unwrap_or(Judgement::unproven(Code::NotFound));
    };
    match prover.prove(credential, presented, now) {
        Ok(Some(secret)) => {
            let case = Case { policy: &credential.policy, access, question, now };
            Judgement { code: decide(case), secret: Some(secret) }
        }
        Ok(None) => Judgement::unproven(Code::NotFound),
        Err(_) => Judgement::unproven(Code::Malformed),
    }
}

impl Prover {
    /// The living secret of `credential` that is `presented`. Its text is remembered, which changes no later
    /// judgement, but makes it cheaper.
    fn prove<'a>(
        &self,
        credential: &'a Credential,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<Option<&'a CredentialSecret>, Malformed> {
        if let Some(secret) = credential.recognise(presented, &self.mark_key, now) {
            return Ok(Some(secret));
        }
        let proven = credential.prove(&presented.token()?, &self.peppers, now);
        if let Some(secret) = proven {
            secret.remember(self.mark_key.mark(presented));
        }
        Ok(proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        digest::Secret,
        key::{
            Key, Sealed, StoredSecret,
            sample::{at, key},
        },
        token::{ApiKey, issue},
    };

    fn prover() -> Prover {
        let peppers = Arc::new(Peppers::new([(1, &b"pepper"[..])]).unwrap());
        Prover { peppers, mark_key: MarkKey::new(&[7; 16]) }
    }

    /// A key, and the API key that proves it.
    fn issued(prover: &Prover) -> (Key, ApiKey) {
        let (mut key, secret) = (key(None, false), Secret::new([1; 32]));
        let sealed = Sealed { digest: prover.peppers.digest(key.id, &secret), pepper: 1 };
        key.secrets = vec![StoredSecret::new(1, sealed, at(0))];
        let api_key = issue(&key.token_prefix, key.id, &secret);
        (key, api_key)
    }

    fn judged(key: Option<&Key>, api_key: ApiKey, prover: &Prover) -> (Code, Option<i32>) {
        let credential = key.and_then(|key| Credential::new(key, false));
        let presented = Presented::new(api_key).unwrap();
        let access = Access::default();
        let known = credential.as_ref().map(|credential| (credential, &access));
        let judge = || judge(prover, known, &presented, &Question::default(), at(1));
        let judgement = judge();
        let judged = (judgement.code, judgement.secret.map(|secret| secret.version));
        assert_eq!(judge().code, judged.0, "the decision is the same if the API key was proven before");
        judged
    }

    fn damaged(api_key: &ApiKey) -> ApiKey {
        let mut text = api_key.expose().to_owned();
        let last = if text.pop() == Some('0') { '1' } else { '0' };
        text.push(last);
        ApiKey::new(text)
    }

    #[test]
    fn only_damage_is_found_without_reading_the_key() {
        let (_, api_key) = issued(&prover());
        let judge = |api_key| judge_unread(&Presented::new(api_key).unwrap()).map(|it| it.code);
        assert_eq!(judge(damaged(&api_key)), Some(Code::Malformed));
        assert_eq!(judge(api_key), None);
    }

    #[test]
    fn an_api_key_is_judged_by_text_then_key_then_checks() {
        let prover = prover();
        let (mut key, api_key) = issued(&prover);
        assert_eq!(judged(Some(&key), api_key.clone(), &prover), (Code::Valid, Some(1)));
        assert_eq!(judged(Some(&key), damaged(&api_key), &prover), (Code::Malformed, None));
        assert_eq!(judged(None, damaged(&api_key), &prover), (Code::Malformed, None));
        assert_eq!(judged(None, api_key.clone(), &prover), (Code::NotFound, None));
        let wrong = issue(&key.token_prefix, key.id, &Secret::new([2; 32]));
        assert_eq!(judged(Some(&key), wrong.clone(), &prover), (Code::NotFound, None));
        key.disable_time = Some(at(0));
        key.expire_time = Some(at(1));
        assert_eq!(judged(Some(&key), api_key.clone(), &prover), (Code::Disabled, Some(1)));
        assert_eq!(judged(Some(&key), wrong, &prover), (Code::NotFound, None), "the decision has no key");
        key.disable_time = None;
        assert_eq!(judged(Some(&key), api_key, &prover), (Code::Expired, Some(1)));
    }
}
