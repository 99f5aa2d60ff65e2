//! Verify: is this API key good for that? And the same for Keystile's own callers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::{
    domain::{
        Revision,
        candidate::KnownSecret,
        decision::{Code, Decision, Proof, Question, decide},
        digest::Peppers,
        id::{KeyId, ServiceAccountId},
        key::Sealed,
        time::Timestamp,
        token::{ApiKey, Token},
    },
    ports::{
        Clock, Credentials, Recorder,
        recorder::{Rehash, Use},
    },
};

use super::Error;

/// The way of a Verify: nothing on it writes, or waits but for the one read of a key that is not at hand.
#[derive(Debug)]
pub struct Verifier<C> {
    credentials: Arc<C>,
    clock: Arc<dyn Clock>,
    peppers: Arc<Peppers>,
    recorder: Arc<dyn Recorder>,
}

#[derive(Debug)]
pub struct VerifyRequest {
    pub api_key: ApiKey,
    pub question: Question,
    /// The decision must rest on this state or a later one.
    pub min_revision: Revision,
    /// How long to wait for that state.
    pub patience: Duration,
}

/// Who calls Keystile: a key of the system project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub service_account: ServiceAccountId,
    pub key: KeyId,
}

impl<C: Credentials> Verifier<C> {
    pub fn new(
        credentials: Arc<C>,
        clock: Arc<dyn Clock>,
        peppers: Arc<Peppers>,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        Self {
            credentials,
            clock,
            peppers,
            recorder,
        }
    }

    pub async fn verify(&self, request: &VerifyRequest) -> Result<Decision, Error> {
        if request.min_revision > 0 {
            self.reach(request.min_revision, request.patience).await?;
        }
        self.judge(&request.api_key, &request.question).await
    }

    /// The caller that `api_key` proves, connected from `peer`; `None` when it proves none.
    pub async fn authenticate(
        &self,
        api_key: &ApiKey,
        peer: Option<IpAddr>,
    ) -> Result<Option<Caller>, Error> {
        let question = Question {
            client_ip: peer,
            ..Question::default()
        };
        let decision = self.judge(api_key, &question).await?;
        let proof = decision.proof.filter(|_| decision.code == Code::Valid);
        Ok(proof.and_then(|proof| {
            let service_account = proof.candidate.caller.clone()?;
            Some(Caller {
                service_account,
                key: proof.candidate.id,
            })
        }))
    }

    async fn judge(&self, api_key: &ApiKey, question: &Question) -> Result<Decision, Error> {
        let Ok(token) = Token::parse(api_key) else {
            return Ok(Decision::malformed());
        };
        let known = self.credentials.candidate(token.id).await?;
        let now = self.clock.now();
        let mut decision = Decision {
            code: Code::NotFound,
            proof: None,
            revision: known.revision,
            age: known.age,
            degraded: known.degraded,
        };
        let Some(candidate) = known.candidate else {
            return Ok(decision);
        };
        let Some(secret) = candidate.prove(&token, &self.peppers, now) else {
            return Ok(decision);
        };
        decision.code = decide(&candidate, question, now);
        if decision.code == Code::Valid {
            self.record(&token, secret, now);
        }
        let secret_version = secret.version;
        decision.proof = Some(Proof {
            candidate,
            secret_version,
        });
        Ok(decision)
    }

    async fn reach(&self, min_revision: Revision, patience: Duration) -> Result<(), Error> {
        let reached = self.credentials.reach(min_revision, patience).await;
        reached.map_err(|revision| Error::RevisionNotReached {
            min_revision,
            revision,
        })
    }

    fn record(&self, token: &Token<'_>, secret: &KnownSecret, now: Timestamp) {
        self.recorder.used(Use {
            key: token.id,
            secret_version: secret.version,
            time: now,
        });
        if secret.pepper != self.peppers.newest() {
            self.recorder.rehashed(Rehash {
                key: token.id,
                secret_version: secret.version,
                replaces: secret.pepper,
                sealed: Sealed {
                    digest: self.peppers.digest(token.id, &token.secret),
                    pepper: self.peppers.newest(),
                },
            });
        }
    }
}
