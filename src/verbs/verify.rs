//! Verify: is this API key good for that?

use std::{sync::Arc, time::Duration};

use domain::{
    Revision,
    candidate::{Candidate, KnownSecret},
    decision::{Code, Decision, Proof, Question, decide},
    digest::Peppers,
    id::KeyId,
    key::Sealed,
    recognition::Recognition,
    time::Timestamp,
    token::{ApiKey, Malformed, Presented},
};

use crate::ports::{Clock, Credentials, Moment, Recorder, StoreError, credentials::Known, recorder::Rehash};

use super::Error;

/// The way of a Verify: nothing on it writes, or waits but for the one read of a key that is not at hand.
#[derive(Debug)]
pub struct Verifier<C> {
    pub(super) credentials: Arc<C>,
    pub(super) clock: Arc<dyn Clock>,
    peppers: Arc<Peppers>,
    recognition: Recognition,
    recorder: Arc<dyn Recorder>,
}

#[derive(Debug)]
pub struct VerifyRequest {
    pub api_key: ApiKey,
    pub question: Question,
    /// The decision must rest on this state or a later one.
    pub min_revision: Revision,
    /// How long to wait for that state, unless it turns out that there is none yet.
    pub patience: Duration,
}

impl<C: Credentials> Verifier<C> {
    pub fn new(
        credentials: Arc<C>,
        clock: Arc<dyn Clock>,
        peppers: Arc<Peppers>,
        recognition: Recognition,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        Self { credentials, clock, peppers, recognition, recorder }
    }

    pub async fn verify(&self, request: &VerifyRequest) -> Result<Decision, Error> {
        if let Some(decision) = self.verify_at_hand(request, self.moment()) {
            return Ok(decision);
        }
        // Elsewhere, so that the calls that need none do not carry the room for a read about with them.
        let decision = Box::pin(self.verify_by_reading(request)).await?;
        self.recorder.decided(decision.code);
        Ok(decision)
    }

    /// The decision, if it takes no waiting.
    pub fn verify_at_hand(&self, request: &VerifyRequest, moment: Moment) -> Option<Decision> {
        let decision = self.decide_at_hand(request, moment)?;
        self.recorder.decided(decision.code);
        Some(decision)
    }

    async fn verify_by_reading(&self, request: &VerifyRequest) -> Result<Decision, Error> {
        let Ok(presented) = Presented::of(&request.api_key) else { return Ok(Decision::malformed()) };
        if request.min_revision > 0 {
            self.reach(request.min_revision, request.patience).await?;
        }
        let known = self.credentials.candidate(presented.id).await?;
        // It was reached, but the log may have gone backwards since.
        let (min_revision, revision) = (request.min_revision, known.revision);
        if revision < min_revision {
            return Err(Error::RevisionNotReached { min_revision, revision });
        }
        Ok(self.decide(&presented, known, &request.question, self.moment()))
    }

    fn decide_at_hand(&self, request: &VerifyRequest, moment: Moment) -> Option<Decision> {
        let Ok(presented) = Presented::of(&request.api_key) else { return Some(Decision::malformed()) };
        let known = self.credentials.at_hand(presented.id, moment.uptime);
        match known.filter(|known| known.revision >= request.min_revision) {
            Some(known) => Some(self.decide(&presented, known, &request.question, moment)),
            None => presented.token().is_err().then(Decision::malformed),
        }
    }

    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// What is known of the key; `None` when it is not at hand, and what is `presented` too damaged to ask for it.
    pub(super) async fn known(
        &self,
        presented: &Presented<'_>,
        moment: Moment,
    ) -> Result<Option<Known>, StoreError> {
        match self.credentials.at_hand(presented.id, moment.uptime) {
            Some(known) => Ok(Some(known)),
            None if presented.token().is_err() => Ok(None),
            None => self.credentials.candidate(presented.id).await.map(Some),
        }
    }

    /// The decision on a key of which `known` is known. If it is valid, this is a use of the key.
    fn decide(
        &self,
        presented: &Presented<'_>,
        known: Known,
        question: &Question,
        moment: Moment,
    ) -> Decision {
        let decision = self.judge(presented, known, question, moment);
        if decision.code == Code::Valid
            && let Some(Proof { candidate, secret_version }) = &decision.proof
            && let Some(secret) = candidate.secret(*secret_version)
        {
            self.record(presented, candidate, secret, moment.now);
        }
        decision
    }

    /// The decision on a key of which `known` is known, of which nothing is recorded.
    pub(super) fn judge(
        &self,
        presented: &Presented<'_>,
        known: Known,
        question: &Question,
        Moment { now, .. }: Moment,
    ) -> Decision {
        let Known { revision, age, degraded, .. } = known;
        let mut decision = Decision { code: Code::NotFound, proof: None, revision, age, degraded };
        let proven = match &known.candidate {
            Some(candidate) => self.prove(candidate, presented, now),
            None => presented.token().map(|_| None),
        };
        let Ok(proven) = proven else { return Decision::malformed() };
        let Some(secret_version) = proven.map(|secret| secret.version) else { return decision };
        if let Some(candidate) = known.candidate {
            decision.code = decide(&candidate, question, now);
            decision.proof = Some(Proof { candidate, secret_version });
        }
        decision
    }

    /// The living secret of `candidate` that is `presented`.
    fn prove<'a>(
        &self,
        candidate: &'a Candidate,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Option<&'a KnownSecret>, Malformed> {
        if let Some(secret) = candidate.recognise(presented, &self.recognition, now) {
            return Ok(Some(secret));
        }
        let proven = candidate.prove(&presented.token()?, &self.peppers, now);
        if let Some(secret) = proven {
            secret.remember(self.recognition.mark(presented));
        }
        Ok(proven)
    }

    /// Waits until decisions rest on `revision` or later, or `patience` is over.
    pub async fn catch_up(&self, revision: Revision, patience: Duration) {
        // Whoever needs it finds out whether it was reached.
        let _ = self.credentials.reach(revision, patience).await;
    }

    async fn reach(&self, min_revision: Revision, patience: Duration) -> Result<(), Error> {
        let reached = self.credentials.reach(min_revision, patience).await;
        reached.map_err(|revision| Error::RevisionNotReached { min_revision, revision })
    }

    /// `true` for the first use since the last was written down.
    pub(super) fn note_use(
        &self,
        id: KeyId,
        candidate: &Arc<Candidate>,
        secret: &KnownSecret,
        now: Timestamp,
    ) -> bool {
        let first = secret.note_use(now);
        if first {
            self.recorder.used(id, candidate.clone(), secret.version);
        }
        first
    }

    pub(super) fn record(
        &self,
        presented: &Presented<'_>,
        candidate: &Arc<Candidate>,
        secret: &KnownSecret,
        now: Timestamp,
    ) {
        // The cached secret keeps its old pepper for a while: one new digest a flush is enough.
        if self.note_use(presented.id, candidate, secret, now)
            && secret.pepper != self.peppers.newest()
            && let Ok(token) = presented.token()
        {
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
