//! A key as Verify needs it: its policy, and the secrets that prove it.

mod secret;

use super::{
    digest::Peppers,
    key::{Key, is_past},
    mark::MarkKey,
    policy::Policy,
    time::Timestamp,
    token::{Presented, Token},
};

pub use secret::CredentialSecret;

/// Immutable but for what it remembers of its secrets.
#[derive(Debug)]
pub struct Credential {
    pub policy: Policy,
    newest: CredentialSecret,
    former: Option<Box<FormerSecret>>,
}

/// The secret from before a rotation, which proves the key until its grace period ends.
#[derive(Debug)]
struct FormerSecret {
    secret: CredentialSecret,
    expire_time: Option<Timestamp>,
}

impl Credential {
    /// `None` for a deleted key, which is treated as unknown.
    pub fn new(key: &Key, owner_disabled: bool) -> Option<Self> {
        let [newest, former @ ..] = key.secrets.as_slice() else { return None };
        if key.deletion.is_some() {
            return None;
        }
        let former = former
            .first()
            .map(|it| FormerSecret { secret: CredentialSecret::new(it), expire_time: it.expire_time });
        Some(Self {
            policy: Policy::new(key, owner_disabled),
            newest: CredentialSecret::new(newest),
            former: former.map(Box::new),
        })
    }

    /// The living secret that the same text proved before.
    pub fn recognise(
        &self,
        presented: &Presented,
        mark_key: &MarkKey,
        now: Timestamp,
    ) -> Option<&CredentialSecret> {
        if presented.parts().0 != self.policy.profile().token_prefix.as_bytes() {
            return None;
        }
        let mark = mark_key.mark(presented);
        self.living(now).find(|secret| secret.was_proven_by(mark))
    }

    /// The living secret that `token` carries.
    ///
    /// Every stored digest is compared, in constant time; a token whose prefix or environment tag is not
    /// the key's own proves nothing.
    pub fn prove(&self, token: &Token<'_>, peppers: &Peppers, now: Timestamp) -> Option<&CredentialSecret> {
        if *token.token_prefix != *self.policy.profile().token_prefix {
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

    pub fn secret(&self, version: i32) -> Option<&CredentialSecret> {
        let former = self.former.as_ref().map(|it| &it.secret);
        std::iter::once(&self.newest).chain(former).find(|secret| secret.version == version)
    }

    /// When the secret of this version stops proving the key, or the key itself ends.
    pub fn end_of(&self, version: i32) -> Option<Timestamp> {
        let former = self.former.as_ref().filter(|it| it.secret.version == version);
        let grace = former.and_then(|it| it.expire_time);
        self.policy.expire_time().into_iter().chain(grace).min()
    }

    /// Whether the key has a newer secret than that of `version`.
    pub fn supersedes(&self, version: i32) -> bool {
        version < self.newest.version
    }

    /// The bytes that it takes in memory, without the profile of its policy.
    pub fn size(&self) -> usize {
        let former = self.former.as_ref().map_or(0, |_| size_of::<FormerSecret>());
        size_of::<Self>() + former + self.policy.heap_size()
    }

    fn living(&self, now: Timestamp) -> impl Iterator<Item = &CredentialSecret> {
        let former = self.former.as_ref().filter(move |it| !is_past(it.expire_time, now));
        std::iter::once(&self.newest).chain(former.map(|it| &it.secret))
    }
}

#[cfg(test)]
mod tests;
