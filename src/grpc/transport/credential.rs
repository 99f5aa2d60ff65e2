//! The credential of a call: its `authorization` header, and the session that a connection's last one was proven to be.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use domain::token::ApiKey;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

use crate::verbs::Session;

/// Removes the `authorization` header and answers its value; of two headers, neither is valid.
pub(super) fn take(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let is_single = headers.get_all(AUTHORIZATION).iter().nth(1).is_none();
    headers.remove(AUTHORIZATION).filter(|_| is_single)
}

/// The API key in `Bearer <API key>`.
pub(super) fn bearer(credential: &HeaderValue) -> Option<ApiKey> {
    let (scheme, api_key) = credential.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| ApiKey::new(api_key.trim().to_owned()))
}

/// The credential that a connection's calls were last authenticated with: most connections have one caller.
#[derive(Debug, Default)]
pub(in crate::grpc) struct ProvenCredential(ArcSwapOption<Proof>);

#[derive(Debug)]
struct Proof {
    credential: HeaderValue,
    session: Arc<Session>,
}

impl ProvenCredential {
    /// The session that `credential` proved before. It may have ended meanwhile.
    pub(super) fn get(&self, credential: &HeaderValue) -> Option<Arc<Session>> {
        let proof = self.0.load();
        // Behind a proxy, calls on one connection may have different callers.
        let same = |proof: &&Arc<Proof>| proof.credential.as_bytes().ct_eq(credential.as_bytes()).into();
        proof.as_ref().filter(same).map(|proof| proof.session.clone())
    }

    pub(super) fn set(&self, mut credential: HeaderValue, session: Arc<Session>) {
        credential.set_sensitive(true);
        self.0.store(Some(Arc::new(Proof { credential, session })));
    }
}
