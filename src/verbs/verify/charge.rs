//! What a verification costs its key. It is charged only for VALID, so a call that is denied costs nothing.

use domain::{id::KeyId, key::Sealed, time::Timestamp, token::Presented};

use crate::ports::recorder::Rehash;

use super::{Proof, Verifier};

impl<C> Verifier<C> {
    /// Charges a use of the proven key: notes its time, and moves its digest to the newest pepper.
    pub(in crate::verbs) fn charge(&self, presented: &Presented, proof: &Proof, now: Timestamp) {
        // The cached secret keeps its old pepper for a while, so one new digest for each recorded use is enough.
        if self.note_use(presented.id(), proof, now) {
            self.rehash(presented, proof);
        }
    }

    /// `true` for the first use since the last was recorded.
    pub(in crate::verbs) fn note_use(&self, id: KeyId, proof: &Proof, now: Timestamp) -> bool {
        let first = proof.secret().is_some_and(|secret| secret.note_use(now));
        if first {
            self.recorder.used(id, proof.key.clone(), proof.secret_version);
        }
        first
    }

    /// Records the digest under the newest pepper, if the secret is stored under another.
    fn rehash(&self, presented: &Presented, proof: &Proof) {
        let peppers = &self.prover.peppers;
        if let Some(secret) = proof.secret()
            && secret.pepper != peppers.newest()
            && let Ok(token) = presented.token()
        {
            let digest = peppers.digest(token.id, &token.secret);
            self.recorder.rehashed(Rehash {
                key: token.id,
                secret_version: secret.version,
                replaces: secret.pepper,
                sealed: Sealed { digest, pepper: peppers.newest() },
            });
        }
    }
}
