//! Where a verification leaves what may be written down later.

use std::{fmt::Debug, sync::Arc};

use domain::{decision::Code, digest::PepperVersion, id::KeyId, key::Sealed, time::Timestamp};

use super::credentials::CachedKey;

/// Takes notes without ever making its caller wait; under pressure it drops some and counts them.
pub trait Recorder: Debug + Send + Sync + 'static {
    /// Somebody was told this code.
    fn decided(&self, code: Code);

    /// A secret of `key`, whose id is `id`, is used for the first time since its uses were taken.
    fn used(&self, id: KeyId, key: Arc<CachedKey>, secret_version: i32);

    fn rehashed(&self, rehash: Rehash);
}

/// The last use of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub key: KeyId,
    pub secret_version: i32,
    pub time: Timestamp,
}

/// The digest of a proven secret under the newest pepper, to stand in the place of an older one.
#[derive(Debug, Clone, Copy)]
pub struct Rehash {
    pub key: KeyId,
    pub secret_version: i32,
    pub replaces: PepperVersion,
    pub sealed: Sealed,
}
