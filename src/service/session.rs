//! Who calls Keystile: it knows its own callers as it knows anybody else's, by their API keys.

use std::{net::IpAddr, sync::Arc};

use crate::{
    domain::{
        Revision,
        candidate::Candidate,
        decision::{Code, Question},
        id::{KeyId, ServiceAccountId},
        key::is_past,
        time::Timestamp,
        token::{ApiKey, Presented},
    },
    ports::{Credentials, Moment},
    service::{Error, Verifier},
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
    /// The newest change when it was proven, where that was known: until the next, it still is.
    as_of: Option<Revision>,
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
    /// The session of the caller that `api_key` proves, connected from `peer`; `None` when it proves none.
    pub async fn authenticate(
        &self,
        api_key: ApiKey,
        peer: Option<IpAddr>,
    ) -> Result<Option<Session>, Error> {
        let moment = self.moment();
        let as_of = self.credentials.newest_change(moment.uptime);
        let Ok(presented) = Presented::of(&api_key) else { return Ok(None) };
        let id = presented.id;
        let Some(known) = self.known(&presented, moment).await? else { return Ok(None) };
        let question = Question { client_ip: peer, ..Question::default() };
        let (decision, end) = self.judge(&presented, known, &question, moment);
        let proof = decision.proof.filter(|_| decision.code == Code::Valid);
        Ok(proof.filter(|proof| proof.candidate.caller().is_some()).map(|proof| Session {
            id,
            key: proof.candidate,
            secret_version: proof.secret_version,
            api_key,
            peer,
            as_of,
            end,
        }))
    }

    /// Whether `session` goes on: nothing happened since that could end it. If so, this is a use of its key.
    pub fn goes_on(&self, session: &Session, Moment { now, uptime }: Moment) -> bool {
        let goes_on = session.as_of.is_some()
            && self.credentials.newest_change(uptime) == session.as_of
            && !is_past(session.end, now);
        if goes_on && let Some(secret) = session.key.secret(session.secret_version) {
            self.note_use(session.id, &session.key, secret, now);
        }
        goes_on
    }

    /// The session, proven anew; `None` when it is over.
    pub async fn renew(&self, session: &Session) -> Result<Option<Session>, Error> {
        self.authenticate(session.api_key.clone(), session.peer).await
    }
}
