//! Verify: is this API key good for that? And the same for Keystile's own callers.

use std::{net::IpAddr, sync::Arc};

use crate::{
    domain::{
        Revision,
        decision::{Code, Decision, Proof, Question, decide, prove},
        digest::Peppers,
        id::{KeyId, ServiceAccountId},
        key::{Sealed, StoredSecret},
        time::Timestamp,
        token::{ApiKey, Token},
    },
    ports::{
        Clock, Credentials, Recorder,
        recorder::{Rehash, Use},
    },
};

use super::Error;

/// The way of a Verify: nothing on it writes or waits but for one read.
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
        let token = match Token::parse(&request.api_key) {
            Ok(token) => token,
            Err(why) => return Ok(Decision::malformed(why)),
        };
        let found = self.credentials.candidate(token.id).await?;
        let revision = found.revision;
        if revision < request.min_revision {
            return Err(Error::RevisionNotReached {
                min_revision: request.min_revision,
                revision,
            });
        }
        let now = self.clock.now();
        let Some(candidate) = found.candidate else {
            return Ok(Decision::not_found(revision));
        };
        let Some(secret) = prove(&candidate.key, &token, &self.peppers, now) else {
            return Ok(Decision::not_found(revision));
        };
        let code = decide(&candidate, &request.question, now);
        if code == Code::Valid {
            self.record(&token, secret, now);
        }
        let secret_version = secret.version;
        let proof = Some(Proof {
            candidate,
            secret_version,
        });
        Ok(Decision {
            code,
            proof,
            revision: Some(revision),
        })
    }

    /// The caller that `api_key` proves, connected from `peer`; `None` when it proves none.
    pub async fn authenticate(
        &self,
        api_key: ApiKey,
        peer: Option<IpAddr>,
    ) -> Result<Option<Caller>, Error> {
        let question = Question {
            client_ip: peer,
            ..Question::default()
        };
        let decision = self
            .verify(&VerifyRequest {
                api_key,
                question,
                min_revision: 0,
            })
            .await?;
        let proof = decision.proof.filter(|_| decision.code == Code::Valid);
        Ok(proof
            .map(|proof| proof.candidate.key)
            .filter(|key| key.project.is_system())
            .map(|key| Caller {
                service_account: key.service_account,
                key: key.id,
            }))
    }

    fn record(&self, token: &Token<'_>, secret: &StoredSecret, now: Timestamp) {
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
