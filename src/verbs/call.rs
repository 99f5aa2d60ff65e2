//! Who asks, and how the request itself is to be taken.

use domain::{audit::Actor, id::ServiceAccountId, time::Timestamp};
use sha2::{Digest, Sha256};

use crate::ports::store::{Remembered, RequestDigest};

#[derive(Debug, Clone)]
pub struct Call {
    pub actor: Actor,
    /// The address that the caller connected from.
    pub peer: String,
    /// Set when the request may be sent again safely.
    pub repeatable: Option<Repeatable>,
    /// Check everything, change nothing.
    pub validate_only: bool,
}

#[derive(Debug, Clone)]
pub struct Repeatable {
    pub request_id: String,
    /// SHA-256 over the whole request, but for `validate_only`.
    pub fingerprint: [u8; 32],
}

impl Call {
    /// A change that Keystile makes by itself.
    pub(super) fn own() -> Self {
        Self { actor: Actor::Keystile, peer: String::new(), repeatable: None, validate_only: false }
    }

    pub(super) fn creator(&self) -> Option<ServiceAccountId> {
        self.actor.service_account().cloned()
    }

    pub(super) fn request_id(&self) -> String {
        self.repeatable.as_ref().map(|it| it.request_id.clone()).unwrap_or_default()
    }

    pub(super) fn remembered(&self, action: &str, target: String, time: Timestamp) -> Option<Remembered> {
        self.repeatable.as_ref().map(|it| Remembered {
            id: it.digest(&self.actor, action),
            fingerprint: it.fingerprint,
            target,
            time,
        })
    }
}

impl Repeatable {
    /// Tells request ids of different callers and methods apart.
    pub(super) fn digest(&self, actor: &Actor, action: &str) -> RequestDigest {
        // A purge is a DeleteKey too.
        let method = if action == "keys.purge" { "keys.delete" } else { action };
        Sha256::new()
            .chain_update(actor.service_account().map_or("", |account| account.as_str()))
            .chain_update([0])
            .chain_update(method)
            .chain_update([0])
            .chain_update(&self.request_id)
            .finalize()
            .into()
    }
}
