//! What Verify answers.

use std::{sync::Arc, time::Duration};

use domain::{
    Revision, access::Ambiguity, credential::CredentialSecret, decision::Code, shared_access::CurrentAccess,
    time::Timestamp,
};

use crate::ports::credentials::{CachedKey, Snapshot};

#[derive(Debug)]
pub struct Decision {
    pub code: Code,
    /// Why the path that was asked for is denied, if that decided.
    pub ambiguity: Option<Ambiguity>,
    /// There when the API key proved a key.
    pub proof: Option<Proof>,
    /// The state that it was decided on; 0 when nothing was looked up.
    pub revision: Revision,
    /// How long ago that state was known to be the newest.
    pub age: Duration,
    /// The change log could not be followed of late.
    pub degraded: bool,
}

/// The key that an API key proved, and by which of its secrets.
#[derive(Debug)]
pub struct Proof {
    pub key: Arc<CachedKey>,
    pub access: CurrentAccess,
    pub secret_version: i32,
}

impl Decision {
    pub fn malformed() -> Self {
        Self {
            code: Code::Malformed,
            ambiguity: None,
            proof: None,
            revision: 0,
            age: Duration::ZERO,
            degraded: false,
        }
    }

    pub(super) fn on(snapshot: Snapshot, code: Code, secret_version: Option<i32>) -> Self {
        // It rests on no state: the text itself is at fault.
        if code == Code::Malformed {
            return Self::malformed();
        }
        let Snapshot { key, access, revision, age, degraded, .. } = snapshot;
        let proof =
            key.zip(secret_version).map(|(key, secret_version)| Proof { key, access, secret_version });
        Self { code, ambiguity: None, proof, revision, age, degraded }
    }

    /// The proof that a valid decision rests on; `None` for every other.
    pub(super) fn valid(&self) -> Option<&Proof> {
        self.proof.as_ref().filter(|_| self.code == Code::Valid)
    }

    pub(in crate::verbs) fn into_valid(self) -> Option<Proof> {
        self.proof.filter(|_| self.code == Code::Valid)
    }
}

impl Proof {
    pub(in crate::verbs) fn secret(&self) -> Option<&CredentialSecret> {
        self.key.credential.secret(self.secret_version)
    }

    /// When it stops proving the key, or the key itself ends.
    pub(in crate::verbs) fn end(&self) -> Option<Timestamp> {
        self.key.credential.end_of(self.secret_version)
    }
}
