//! The callers of Keystile: each is authenticated by an API key, which is verified as any other.

use std::net::IpAddr;

use domain::{
    access::{Access, Projects},
    decision::Question,
    freshness::Stamp,
    id::{KeyId, ServiceAccountId},
    key::is_past,
    time::Timestamp,
    token::{ApiKey, Presented},
};

use crate::{
    ports::{Credentials, Moment, StoreError},
    verbs::{Error, Verifier},
};

use super::verify::Proof;

/// How many times a caller is proven again, as each proof is overtaken by a change, before its call fails.
const RENEWALS: u32 = 3;

/// A caller whose credential was proven.
#[derive(Debug)]
pub struct Session {
    presented: Presented,
    /// Of a key of the system project.
    proof: Proof,
    peer: Option<IpAddr>,
    /// Of the snapshot that proved it: while that is current, the proof is.
    stamp: Stamp,
    projects: Projects,
    /// When the key or its secret ends.
    end: Option<Timestamp>,
}

impl Session {
    pub fn key(&self) -> KeyId {
        self.presented.id()
    }

    pub fn service_account(&self) -> &ServiceAccountId {
        let profile = self.proof.key.credential.policy.profile();
        profile.caller.as_ref().expect("a session is of the system project")
    }
}

impl Session {
    /// The key, and the secret that proved it.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// When the key or its secret ends.
    pub fn end(&self) -> Option<Timestamp> {
        self.end
    }

    pub fn access(&self) -> &Access {
        self.proof.access.access()
    }

    /// The projects that the caller may act on.
    pub fn projects(&self) -> &Projects {
        &self.projects
    }

    /// What it was proven by: what the caller presented, and from where.
    pub(super) fn claim(&self) -> (&Presented, Question) {
        (&self.presented, question(self.peer))
    }

    /// What must be current for the session to be.
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.stamp).chain(self.proof.access.get().map(|access| &access.stamp))
    }
}

/// What a caller from `peer` must pass.
fn question(peer: Option<IpAddr>) -> Question {
    Question { client_ip: peer, ..Question::default() }
}

impl<C: Credentials> Verifier<C> {
    /// The session of the caller that `api_key` proves, connected from `peer`; `None` when it proves none. Only
    /// if it proves one, this is a use of its key.
    pub async fn authenticate(
        &self,
        api_key: ApiKey,
        peer: Option<IpAddr>,
    ) -> Result<Option<Session>, Error> {
        let Ok(presented) = Presented::new(api_key) else { return Ok(None) };
        let Some((session, now)) = self.prove_caller(presented, peer).await? else { return Ok(None) };
        self.charge(&session.presented, &session.proof, now);
        Ok(Some(session))
    }

    /// The session, with the time at which it was proven.
    async fn prove_caller(
        &self,
        presented: Presented,
        peer: Option<IpAddr>,
    ) -> Result<Option<(Session, Timestamp)>, Error> {
        let Some(snapshot) = self.snapshot(&presented, self.moment()).await? else { return Ok(None) };
        // A read takes time, in which a credential may expire.
        let Moment { now, .. } = self.moment();
        let stamp = snapshot.stamp.clone();
        let question = question(peer);
        let Some(proof) = self.judge(&Projects::All, &presented, snapshot, &question, now).into_valid()
        else {
            return Ok(None);
        };
        if proof.key.credential.policy.profile().caller.is_none() {
            return Ok(None);
        }
        // A session lasts as long as its connection.
        let proof = Proof { access: proof.access.kept(), ..proof };
        let end = proof.end();
        let projects = Projects::stored(&proof.key.credential.policy.restrictions().customers);
        Ok(Some((Session { presented, proof, peer, stamp, projects, end }, now)))
    }

    /// Whether `session` is still proven: nothing is known to have happened that could have ended it.
    pub fn is_still_valid(&self, session: &Session, Moment { now, uptime }: Moment) -> bool {
        !is_past(session.end, now) && session.stamps().all(|stamp| self.credentials.is_current(stamp, uptime))
    }

    /// Notes a use of the key of `session`.
    pub fn note_session(&self, session: &Session, moment: Moment) {
        self.note_use(session.key(), &session.proof, moment.now);
    }

    /// The session, proven again by what is known when this is ready; `None` when it is over. This is no use of its key.
    pub async fn renew(&self, session: &Session) -> Result<Option<Session>, Error> {
        for _ in 0..RENEWALS {
            match self.prove_caller(session.presented.clone(), session.peer).await? {
                // A change overtook the read.
                Some((session, _)) if !session.stamps().all(|it| self.credentials.is_unchanged(it)) => {}
                proven => return Ok(proven.map(|(session, _)| session)),
            }
        }
        Err(StoreError::Unavailable("the caller changes faster than its key can be read".into()).into())
    }
}
