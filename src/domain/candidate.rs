//! A key as Verify needs it: flattened, immutable, with what its owner adds already folded in.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use ipnet::IpNet;

use super::{
    digest::{Digest, PepperVersion, Peppers},
    id::{EnvironmentId, KeyId, ServiceAccountId},
    key::{Key, is_past},
    labels::Customer,
    time::Timestamp,
    token::Token,
};

#[derive(Debug)]
pub struct Candidate {
    pub id: KeyId,
    /// Set for keys of the system project alone: whom they let in.
    pub caller: Option<ServiceAccountId>,
    pub(super) revoked: bool,
    pub(super) disabled: bool,
    pub(super) owner_disabled: bool,
    pub(super) expire_time: Option<Timestamp>,
    pub(super) environment: EnvironmentId,
    pub(super) allowed_cidrs: Box<[IpNet]>,
    pub(super) customers: Box<[Customer]>,
    head: Box<str>,
    secrets: Box<[KnownSecret]>,
    newest_secret: i32,
    /// What Verify tells of the key, as the wire has it.
    pub answer: Box<[u8]>,
}

/// One secret of a candidate.
#[derive(Debug)]
pub struct KnownSecret {
    pub version: i32,
    pub pepper: PepperVersion,
    digest: Digest,
    expire_time: Option<Timestamp>,
    /// When it was used last, in microseconds; 0 when nothing is to be written down.
    used: AtomicI64,
}

impl KnownSecret {
    /// Notes a use. `true` for the first since the last [taking](Self::take_use): somebody must be told, and
    /// takes this one and those that follow.
    pub fn note_use(&self, time: Timestamp) -> bool {
        self.used.fetch_max(time.as_micros(), Relaxed) == 0
    }

    /// The latest use, once.
    pub fn take_use(&self) -> Option<Timestamp> {
        Some(self.used.swap(0, Relaxed)).filter(|used| *used != 0).map(Timestamp::from_micros)
    }
}

impl Candidate {
    /// `None` for a deleted key, which is as good as unknown.
    pub fn new(key: &Key, owner_disabled: bool, answer: Box<[u8]>) -> Option<Self> {
        if key.deletion.is_some() {
            return None;
        }
        let secret = |it: &super::key::StoredSecret| KnownSecret {
            version: it.version,
            pepper: it.pepper,
            digest: it.digest,
            expire_time: it.expire_time,
            used: AtomicI64::new(0),
        };
        Some(Self {
            id: key.id,
            caller: key.project.is_system().then(|| key.service_account.clone()),
            revoked: key.revocation.is_some(),
            disabled: key.disable_time.is_some(),
            owner_disabled,
            expire_time: key.expire_time,
            environment: key.environment.clone(),
            allowed_cidrs: key.allowed_cidrs.clone().into(),
            customers: key.customers.clone().into(),
            head: key.head.as_str().into(),
            secrets: key.secrets.iter().map(secret).collect(),
            newest_secret: key.newest_secret(),
            answer,
        })
    }

    /// The living secret that `token` carries.
    ///
    /// Every stored digest is compared, in constant time; a token whose prefix or environment tag is not
    /// the key's own proves nothing.
    pub fn prove(&self, token: &Token<'_>, peppers: &Peppers, now: Timestamp) -> Option<&KnownSecret> {
        if token.head != &*self.head {
            return None;
        }
        let mut proven = None;
        for secret in self.secrets.iter().filter(|secret| !is_past(secret.expire_time, now)) {
            let presented = peppers.digest_with(secret.pepper, self.id, &token.secret);
            if presented.is_some_and(|presented| presented.matches(&secret.digest)) {
                proven = Some(secret);
            }
        }
        proven
    }

    pub fn secret(&self, version: i32) -> Option<&KnownSecret> {
        self.secrets.iter().find(|secret| secret.version == version)
    }

    /// When the key can no longer be proven by `secret`.
    pub fn end_of(&self, secret: &KnownSecret) -> Option<Timestamp> {
        self.expire_time.into_iter().chain(secret.expire_time).min()
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        let customers = self.customers.iter().map(|it| size_of::<Customer>() + it.as_str().len());
        size_of::<Self>()
            + self.answer.len()
            + self.head.len()
            + self.environment.as_str().len()
            + size_of_val(&*self.secrets)
            + size_of_val(&*self.allowed_cidrs)
            + customers.sum::<usize>()
    }

    /// Whether the key has a newer secret than `secret`.
    pub fn supersedes(&self, secret: i32) -> bool {
        secret < self.newest_secret
    }
}
