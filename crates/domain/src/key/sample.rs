//! A key to test with.

#![expect(clippy::unwrap_used, reason = "its texts are constants")]

use super::*;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

pub(super) fn sealed(seed: u8) -> Sealed {
    Sealed { digest: Digest::from_bytes([seed; 32]), pepper: 1 }
}

pub fn key(expire_time: Option<Timestamp>, protected: bool) -> Key {
    Key {
        id: KeyId::new(at(0), [0; 10]),
        project: "acme".parse().unwrap(),
        service_account: "ci".parse().unwrap(),
        account_generation: 7,
        environment: "production".parse().unwrap(),
        token_prefix: "acme_live".into(),
        display_name: "ci".parse().unwrap(),
        roles: vec![],
        permissions: vec![],
        customers: vec![],
        allowed_cidrs: vec![],
        metadata: Metadata::default(),
        tags: vec![],
        created_by: None,
        create_time: at(0),
        update_time: at(0),
        expire_time,
        last_used_time: None,
        disable_time: None,
        revocation: None,
        deletion: None,
        protected,
        secrets: vec![StoredSecret::new(1, sealed(1), at(0))],
        revision: 1,
    }
}

/// An API key of [`key`], of no secret that it has.
#[cfg(test)]
pub(crate) fn api_key() -> token::ApiKey {
    token::issue("acme_live", key(None, false).id, &crate::digest::Secret::new([5; 32]))
}
