//! Where verifications hand over what is recorded later.

use std::{fmt::Debug, sync::Arc};

use domain::{decision::Code, digest::PepperVersion, id::KeyId, key::Sealed, time::Timestamp};

use super::credentials::CachedKey;

/// Never makes its caller wait: when its queue is full, it drops what it gets and counts that.
pub trait Recorder: Debug + Send + Sync + 'static {
    /// A verification was answered with this code.
    fn decided(&self, code: Code);

    /// A secret of `key`, whose id is `id`, was used for the first time since its last use was taken.
    fn used(&self, id: KeyId, key: Arc<CachedKey>, secret_version: i32);

    fn rehashed(&self, rehash: Rehash);
}

/// The last use of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    pub key: KeyId,
    pub secret_version: i32,
    pub time: Timestamp,
}

/// The digest of a proven secret under the newest pepper, which replaces the one under the pepper `replaces`.
#[derive(Debug, Clone, Copy)]
pub struct Rehash {
    pub key: KeyId,
    pub secret_version: i32,
    pub replaces: PepperVersion,
    pub sealed: Sealed,
}
