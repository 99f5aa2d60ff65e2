//! Who calls Keystile: it knows its own callers as it knows anybody else's, by their API keys.

use std::{net::IpAddr, sync::Arc};

use domain::{
    candidate::Candidate,
    decision::{Code, Decision, Proof, Question},
    freshness::Stamp,
    id::{KeyId, ServiceAccountId},
    key::is_past,
    time::Timestamp,
    token::{ApiKey, Presented},
};

use crate::{
    ports::{Credentials, Moment},
    verbs::{Error, Verifier},
};

/// A caller whose credential was proven.
#[derive(Debug)]
pub struct Session {
    id: KeyId,
    /// A key of the system project.
    key: Arc<Candidate>,
    secret_version: i32,
    api_key: ApiKey,
    peer: Option<IpAddr>,
    /// Of what proved it: until that changes, it still does.
    stamp: Stamp,
    /// When the key or its secret ends.
    end: Option<Timestamp>,
}

impl Session {
    pub fn key(&self) -> KeyId {
        self.id
    }

    pub fn service_account(&self) -> &ServiceAccountId {
        self.key.caller().expect("a session is of the system project")
    }
}

impl<C: Credentials> Verifier<C> {
    /// The session of the caller that `api_key` proves, connected from `peer`; `None` when it proves none. Only
    /// if it proves one, this is a use of its key.
    pub async fn authenticate(
        &self,
        api_key: ApiKey,
        peer: Option<IpAddr>,
    ) -> Result<Option<Session>, Error> {
        let moment = self.moment();
        let session = self.prove_caller(api_key, peer, moment).await?;
        if let Some(session) = &session
            && let Ok(presented) = Presented::of(&session.api_key)
            && let Some(secret) = session.key.secret(session.secret_version)
        {
            self.record(&presented, &session.key, secret, moment.now);
        }
        Ok(session)
    }

    async fn prove_caller(
        &self,
        api_key: ApiKey,
        peer: Option<IpAddr>,
        moment: Moment,
    ) -> Result<Option<Session>, Error> {
        let Ok(presented) = Presented::of(&api_key) else { return Ok(None) };
        let id = presented.id;
        let Some(known) = self.known(&presented, moment).await? else { return Ok(None) };
        let stamp = known.stamp;
        let question = Question { client_ip: peer, ..Question::default() };
        let decision = self.judge(&presented, known, &question, moment);
        let Decision { code: Code::Valid, proof: Some(proof), .. } = decision else { return Ok(None) };
        let Proof { candidate: key, secret_version } = proof;
        if key.caller().is_none() {
            return Ok(None);
        }
        let Some(secret) = key.secret(secret_version) else { return Ok(None) };
        let end = key.end_of(secret);
        Ok(Some(Session { id, secret_version, api_key, peer, stamp, end, key }))
    }

    /// Whether `session` stands: nothing is known to have happened that could have ended it.
    pub fn stands(&self, session: &Session, Moment { now, uptime }: Moment) -> bool {
        !is_past(session.end, now) && self.credentials.is_current(&session.stamp, uptime)
    }

    /// Whether `session` stands. If so, this is a use of its key.
    pub fn goes_on(&self, session: &Session, moment: Moment) -> bool {
        let stands = self.stands(session, moment);
        if stands {
            self.note_session(session, moment);
        }
        stands
    }

    /// Notes a use of the key of `session`.
    pub fn note_session(&self, session: &Session, moment: Moment) {
        if let Some(secret) = session.key.secret(session.secret_version) {
            self.note_use(session.id, &session.key, secret, moment.now);
        }
    }

    /// The session, proven anew; `None` when it is over. This is no use of its key.
    pub async fn renew(&self, session: &Session) -> Result<Option<Session>, Error> {
        self.prove_caller(session.api_key.clone(), session.peer, self.moment()).await
    }
}
