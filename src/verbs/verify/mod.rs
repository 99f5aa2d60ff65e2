//! Verify: is this API key good for that?

mod charge;
mod decision;

use std::{sync::Arc, time::Duration};

use domain::{
    Revision,
    access::Projects,
    decision::{Code, Question},
    digest::Peppers,
    judge::{Prover, judge, judge_unread},
    mark::MarkKey,
    time::Timestamp,
    token::{ApiKey, Presented},
};

use crate::ports::{Clock, Credentials, Moment, Recorder, StoreError, credentials::Snapshot};

use super::Error;

pub use decision::{Decision, Proof};

/// Judges, then charges what is valid. Neither writes, and nothing waits but for the one read of a key that is not
/// cached.
#[derive(Debug)]
pub struct Verifier<C> {
    pub(super) credentials: Arc<C>,
    clock: Arc<dyn Clock>,
    prover: Prover,
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

/// A verification whose key must be read first, with all that was found out by then.
#[derive(Debug)]
pub struct Miss {
    presented: Presented,
    question: Question,
    min_revision: Revision,
    patience: Duration,
}

impl<C: Credentials> Verifier<C> {
    pub fn new(
        credentials: Arc<C>,
        clock: Arc<dyn Clock>,
        peppers: Arc<Peppers>,
        mark_key: MarkKey,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        Self { credentials, clock, prover: Prover { peppers, mark_key }, recorder }
    }

    /// The decision for a caller that may act on the projects of `scope`.
    pub async fn verify(&self, scope: &Projects, request: VerifyRequest) -> Result<Decision, Error> {
        match self.verify_cached(scope, request, self.moment()) {
            Ok(decision) => Ok(decision),
            // On the heap, so that the calls that need no read do not carry the room for one.
            Err(miss) => Box::pin(self.verify_miss(scope, miss)).await,
        }
    }

    /// The decision, if it takes no waiting.
    #[expect(
        clippy::result_large_err,
        reason = "a box would be an allocation for every key that is not cached"
    )]
    pub fn verify_cached(
        &self,
        scope: &Projects,
        request: VerifyRequest,
        moment: Moment,
    ) -> Result<Decision, Miss> {
        let VerifyRequest { api_key, question, min_revision, patience } = request;
        let Ok(presented) = Presented::new(api_key) else {
            return Ok(self.answer(Decision::malformed()));
        };
        let cached = self.credentials.cached(presented.id(), moment.uptime);
        match cached.filter(|snapshot| snapshot.revision >= min_revision) {
            Some(snapshot) => Ok(self.decide(scope, &presented, snapshot, &question, moment.now)),
            None if judge_unread(&presented).is_some() => Ok(self.answer(Decision::malformed())),
            None => Err(Miss { presented, question, min_revision, patience }),
        }
    }

    /// The decision on a key that must be read.
    pub async fn verify_miss(&self, scope: &Projects, miss: Miss) -> Result<Decision, Error> {
        let Miss { presented, question, min_revision, patience } = miss;
        if min_revision > 0 {
            let reached = self.credentials.reach(min_revision, patience).await;
            reached.map_err(|revision| Error::RevisionNotReached { min_revision, revision })?;
        }
        let snapshot = self.credentials.read(presented.id()).await?;
        // It was reached, but the log may have gone backwards since.
        let revision = snapshot.revision;
        if revision < min_revision {
            return Err(Error::RevisionNotReached { min_revision, revision });
        }
        Ok(self.decide(scope, &presented, snapshot, &question, self.moment().now))
    }

    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// Waits until decisions rest on `revision` or later, or `patience` is over.
    pub async fn catch_up(&self, revision: Revision, patience: Duration) {
        // A verification that needs the revision checks whether it was reached.
        let _ = self.credentials.reach(revision, patience).await;
    }

    /// What is known of the key; `None` when it is not cached, and `presented` too damaged to read it.
    pub(super) async fn snapshot(
        &self,
        presented: &Presented,
        moment: Moment,
    ) -> Result<Option<Snapshot>, StoreError> {
        match self.credentials.cached(presented.id(), moment.uptime) {
            Some(snapshot) => Ok(Some(snapshot)),
            None if judge_unread(presented).is_some() => Ok(None),
            None => self.credentials.read(presented.id()).await.map(Some),
        }
    }

    /// The decision on `snapshot`, which nothing is charged for.
    pub(super) fn judge(
        &self,
        scope: &Projects,
        presented: &Presented,
        snapshot: Snapshot,
        question: &Question,
        now: Timestamp,
    ) -> Decision {
        let visible =
            snapshot.key.as_ref().filter(|key| scope.includes(&key.credential.policy.profile().project));
        let credential = visible.map(|key| (&key.credential, snapshot.access.access()));
        let judgement = judge(&self.prover, credential, presented, question, now);
        let (code, secret_version) = (judgement.code, judgement.secret.map(|secret| secret.version));
        let mut decision = Decision::on(snapshot, code, secret_version);
        if code == Code::MissingPermission {
            decision.ambiguity = question.ambiguity();
        }
        decision
    }

    fn decide(
        &self,
        scope: &Projects,
        presented: &Presented,
        snapshot: Snapshot,
        question: &Question,
        now: Timestamp,
    ) -> Decision {
        let decision = self.judge(scope, presented, snapshot, question, now);
        if let Some(proof) = decision.valid() {
            self.charge(presented, proof, now);
        }
        self.answer(decision)
    }

    fn answer(&self, decision: Decision) -> Decision {
        self.recorder.decided(decision.code);
        decision
    }
}

#[cfg(test)]
mod tests;
