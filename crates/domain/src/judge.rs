//! The judgement of a verification: pure, from what is known of a key and the API key presented to a code.

use std::sync::Arc;

use super::{
    credential::{Credential, CredentialSecret},
    decision::{Code, Question, decide},
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

/// Judges by the API key alone; `None` when its key must be read first.
pub fn judge_unread(presented: &Presented) -> Option<Judgement<'static>> {
    presented.token().is_err().then(|| Judgement::unproven(Code::Malformed))
}

/// Judges by the `credential` that was read, which is `None` when there is no such key.
pub fn judge<'a>(
    prover: &Prover,
    credential: Option<&'a Credential>,
    presented: &Presented,
    question: &Question,
    now: Timestamp,
) -> Judgement<'a> {
    let Some(credential) = credential else {
        return judge_unread(presented).unwrap_or(Judgement::unproven(Code::NotFound));
    };
    match prover.prove(credential, presented, now) {
        Ok(Some(secret)) => {
            Judgement { code: decide(&credential.policy, question, now), secret: Some(secret) }
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
