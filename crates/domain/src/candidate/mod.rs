//! A key as Verify needs it: flattened, immutable, with what its owner adds already folded in.

mod layout;

use std::{
    mem::size_of_val,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use ipnet::IpNet;

use super::{
    digest::{Digest, PepperVersion, Peppers},
    id::ServiceAccountId,
    key::{Key, StoredSecret, is_past},
    labels::Customer,
    recognition::{Mark, Memory, Recognition},
    time::Timestamp,
    token::{Presented, Token},
};

use layout::Layout;

/// As small as can be: it decides how many keys fit in the cache.
#[derive(Debug)]
pub struct Candidate {
    texts: Box<[u8]>,
    layout: Layout,
    pub(super) revoked: bool,
    pub(super) disabled: bool,
    pub(super) owner_disabled: bool,
    expire_time: Expiry,
    secret: KnownSecret,
    /// What most keys have nothing of.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    caller: Option<ServiceAccountId>,
    allowed_cidrs: Box<[IpNet]>,
    customers: Box<[Customer]>,
    /// The secret from before a rotation.
    former: Option<KnownSecret>,
}

/// One secret of a candidate.
#[derive(Debug)]
pub struct KnownSecret {
    pub version: i32,
    pub pepper: PepperVersion,
    digest: Digest,
    expire_time: Expiry,
    /// When it was used last, in microseconds; 0 when nothing is to be written down.
    used: AtomicI64,
    memory: Memory,
}

/// An end, or none, in the room of one.
#[derive(Debug, Clone, Copy)]
struct Expiry(Timestamp);

impl Expiry {
    const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

    fn time(self) -> Option<Timestamp> {
        (self.0 != Self::NEVER).then_some(self.0)
    }
}

impl From<Option<Timestamp>> for Expiry {
    fn from(time: Option<Timestamp>) -> Self {
        Self(time.unwrap_or(Self::NEVER))
    }
}

/// Uses so close to one another are one, in microseconds: who verifies the same keys at the same time does not
/// write to the same memory each time.
const SAME_USE: i64 = 100_000;

impl KnownSecret {
    fn new(secret: &StoredSecret) -> Self {
        Self {
            version: secret.version,
            pepper: secret.pepper,
            digest: secret.digest,
            expire_time: secret.expire_time.into(),
            used: AtomicI64::new(0),
            memory: Memory::default(),
        }
    }

    /// From now on it is [recognised](Candidate::recognise) by `mark`, which is that of the text that proved it.
    pub fn remember(&self, mark: Mark) {
        self.memory.keep(mark);
    }

    /// Notes a use. `true` for the first since the last [taking](Self::take_use): somebody must be told, and
    /// takes this one and those that follow.
    pub fn note_use(&self, time: Timestamp) -> bool {
        let noted = self.used.load(Relaxed);
        if noted != 0 && time.as_micros() < noted.saturating_add(SAME_USE) {
            return false;
        }
        self.used.fetch_max(time.as_micros(), Relaxed) == 0
    }

    /// The latest use, once.
    pub fn take_use(&self) -> Option<Timestamp> {
        Some(self.used.swap(0, Relaxed)).filter(|used| *used != 0).map(Timestamp::from_micros)
    }
}

impl Candidate {
    /// `None` for a deleted key, which is as good as unknown. `answer` is what Verify tells of the key, as
    /// the wire has it.
    pub fn new(key: &Key, owner_disabled: bool, answer: &[u8]) -> Option<Self> {
        let [newest, former @ ..] = key.secrets.as_slice() else { return None };
        if key.deletion.is_some() {
            return None;
        }
        let (layout, texts) = Layout::of(&key.token_prefix, key.environment.as_str(), answer);
        let more = More {
            caller: key.project.is_system().then(|| key.service_account.clone()),
            allowed_cidrs: key.allowed_cidrs.clone().into(),
            customers: key.customers.clone().into(),
            former: former.first().map(KnownSecret::new),
        };
        Some(Self {
            texts,
            layout,
            revoked: key.revocation.is_some(),
            disabled: key.disable_time.is_some(),
            owner_disabled,
            expire_time: key.expire_time.into(),
            secret: KnownSecret::new(newest),
            more: more.has_any().then(|| Box::new(more)),
        })
    }

    /// Set for keys of the system project alone: whom they let in.
    pub fn caller(&self) -> Option<&ServiceAccountId> {
        self.more.as_ref()?.caller.as_ref()
    }

    /// What Verify tells of the key, as the wire has it.
    pub fn answer(&self) -> &[u8] {
        self.layout.answer(&self.texts)
    }

    pub(super) fn environment(&self) -> &[u8] {
        self.layout.environment(&self.texts)
    }

    pub(super) fn expire_time(&self) -> Option<Timestamp> {
        self.expire_time.time()
    }

    pub(super) fn allowed_cidrs(&self) -> &[IpNet] {
        self.more.as_ref().map_or(&[], |more| &more.allowed_cidrs)
    }

    pub(super) fn customers(&self) -> &[Customer] {
        self.more.as_ref().map_or(&[], |more| &more.customers)
    }

    /// The living secret that the same text was proven to carry before.
    pub fn recognise(
        &self,
        presented: &Presented<'_>,
        recognition: &Recognition,
        now: Timestamp,
    ) -> Option<&KnownSecret> {
        if presented.parts().0 != self.layout.head(&self.texts) {
            return None;
        }
        let mark = recognition.mark(presented);
        self.living(now).find(|secret| secret.memory.holds(mark))
    }

    /// The living secret that `token` carries.
    ///
    /// Every stored digest is compared, in constant time; a token whose prefix or environment tag is not
    /// the key's own proves nothing.
    pub fn prove(&self, token: &Token<'_>, peppers: &Peppers, now: Timestamp) -> Option<&KnownSecret> {
        if token.head.as_bytes() != self.layout.head(&self.texts) {
            return None;
        }
        let mut proven = None;
        for secret in self.living(now) {
            let presented = peppers.digest_with(secret.pepper, token.id, &token.secret);
            if presented.is_some_and(|presented| presented.matches(&secret.digest)) {
                proven = Some(secret);
            }
        }
        proven
    }

    pub fn secret(&self, version: i32) -> Option<&KnownSecret> {
        self.secrets().find(|secret| secret.version == version)
    }

    /// When the key can no longer be proven by `secret`.
    pub fn end_of(&self, secret: &KnownSecret) -> Option<Timestamp> {
        Expiry(self.expire_time.0.min(secret.expire_time.0)).time()
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            let customers = more.customers.iter().map(|it| size_of::<Customer>() + it.as_str().len());
            size_of::<More>() + size_of_val(&*more.allowed_cidrs) + customers.sum::<usize>()
        });
        size_of::<Self>() + self.texts.len() + more
    }

    /// Whether the key has a newer secret than `secret`.
    pub fn supersedes(&self, secret: i32) -> bool {
        secret < self.secret.version
    }

    /// The newest first.
    fn secrets(&self) -> impl Iterator<Item = &KnownSecret> {
        std::iter::once(&self.secret).chain(self.more.as_ref().and_then(|more| more.former.as_ref()))
    }

    fn living(&self, now: Timestamp) -> impl Iterator<Item = &KnownSecret> {
        self.secrets().filter(move |secret| !is_past(secret.expire_time.time(), now))
    }
}

impl More {
    fn has_any(&self) -> bool {
        self.caller.is_some()
            || !self.allowed_cidrs.is_empty()
            || !self.customers.is_empty()
            || self.former.is_some()
    }
}

#[cfg(test)]
mod tests;
