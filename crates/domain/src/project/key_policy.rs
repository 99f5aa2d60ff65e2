//! The policy that the keys of a project must comply with.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Invalid,
    id::RoleId,
    key::Key,
    resource::texts,
    time::{DAY, Timestamp},
};

/// Each part restricts nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How far in the future a key may expire, in whole seconds; with it, every key must expire.
    pub max_ttl: Option<Duration>,
    pub require_expiration: bool,
    /// The highest number of active keys, without the system key.
    pub max_active_keys: Option<u32>,
    /// The longest grace period of a rotation, in whole seconds.
    pub max_rotation_grace: Option<Duration>,
    /// The only roles that keys may hold, sorted, each once; any if empty.
    pub allowed_roles: Vec<RoleId>,
}

/// A part of the policy, by the name of its field in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyField {
    MaxTtl,
    RequireExpiration,
    MaxActiveKeys,
    MaxRotationGrace,
    AllowedRoles,
}

impl PolicyField {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxTtl => "max_ttl",
            Self::RequireExpiration => "require_expiration",
            Self::MaxActiveKeys => "max_active_keys",
            Self::MaxRotationGrace => "max_rotation_grace",
            Self::AllowedRoles => "allowed_roles",
        }
    }
}

/// Keys are counted while all other changes wait.
const MOST_COUNTED: u32 = 100_000;

impl KeyPolicy {
    /// Checks the bounds of the parts themselves.
    pub fn checked(self) -> Result<Self, Invalid> {
        let ttl = Duration::from_secs(1)..=3650 * DAY;
        if self.max_ttl.is_some_and(|max| !ttl.contains(&max)) {
            return Err(Invalid::new("has a max_ttl that is not 1 second to 3650 days"));
        }
        if self.max_active_keys.is_some_and(|most| most > MOST_COUNTED) {
            return Err(Invalid::new(format!("has a max_active_keys of more than {MOST_COUNTED}")));
        }
        if self.max_rotation_grace.is_some_and(|max| max > 90 * DAY) {
            return Err(Invalid::new(
                "has a max_rotation_grace of more than 90 days, which no rotation may have",
            ));
        }
        Ok(self)
    }

    /// What `key` would violate if it were active at `now`. A system key is exempt.
    pub fn violated_by(&self, key: &Key, now: Timestamp) -> Vec<PolicyField> {
        let mut violated = Vec::new();
        if key.protected {
            return violated;
        }
        let too_long = |max| key.expire_time.is_none_or(|end| end > now.after(max));
        if self.max_ttl.is_some_and(too_long) {
            violated.push(PolicyField::MaxTtl);
        }
        if self.require_expiration && key.expire_time.is_none() {
            violated.push(PolicyField::RequireExpiration);
        }
        let allowed = |role| self.allowed_roles.is_empty() || self.allowed_roles.contains(role);
        if !key.roles.iter().all(allowed) {
            violated.push(PolicyField::AllowedRoles);
        }
        violated
    }

    pub fn allows_grace(&self, grace: Duration) -> bool {
        self.max_rotation_grace.is_none_or(|max| grace <= max)
    }

    /// It as the audit trail shows it.
    pub(super) fn describe(&self) -> Value {
        json!({
            "max_ttl_seconds": self.max_ttl.map(|it| it.as_secs()),
            "require_expiration": self.require_expiration,
            "max_active_keys": self.max_active_keys,
            "max_rotation_grace_seconds": self.max_rotation_grace.map(|it| it.as_secs()),
            "allowed_roles": texts(&self.allowed_roles),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::sample::{at, key};

    fn violated(policy: &KeyPolicy, expire_time: Option<i64>, roles: &[&str]) -> Vec<&'static str> {
        let roles = roles.iter().map(|id| id.parse().unwrap()).collect();
        let key = Key { roles, ..key(expire_time.map(at), false) };
        policy.violated_by(&key, at(100)).into_iter().map(PolicyField::as_str).collect()
    }

    #[test]
    fn the_default_restricts_nothing() {
        let policy = KeyPolicy::default();
        assert_eq!(violated(&policy, None, &["any"]), [""; 0]);
        assert!(policy.allows_grace(90 * DAY));
    }

    #[test]
    fn each_part_is_violated_by_itself() {
        let max_ttl = KeyPolicy { max_ttl: Some(Duration::from_secs(10)), ..KeyPolicy::default() };
        assert_eq!(violated(&max_ttl, Some(110), &[]), [""; 0]);
        assert_eq!(violated(&max_ttl, Some(111), &[]), ["max_ttl"]);
        assert_eq!(violated(&max_ttl, None, &[]), ["max_ttl"], "a key that never ends ends too late");
        let ends = KeyPolicy { require_expiration: true, ..KeyPolicy::default() };
        assert_eq!(violated(&ends, None, &[]), ["require_expiration"]);
        assert_eq!(violated(&ends, Some(9_999), &[]), [""; 0]);
        let roles = KeyPolicy { allowed_roles: vec!["viewer".parse().unwrap()], ..KeyPolicy::default() };
        assert_eq!(violated(&roles, None, &[]), [""; 0]);
        assert_eq!(violated(&roles, None, &["viewer"]), [""; 0]);
        assert_eq!(violated(&roles, None, &["editor", "viewer"]), ["allowed_roles"]);
        let grace = KeyPolicy { max_rotation_grace: Some(Duration::from_secs(5)), ..KeyPolicy::default() };
        assert!(grace.allows_grace(Duration::from_secs(5)) && !grace.allows_grace(Duration::from_secs(6)));
    }

    #[test]
    fn a_key_may_violate_several_parts_and_a_system_key_none() {
        let policy = KeyPolicy {
            max_ttl: Some(DAY),
            require_expiration: true,
            allowed_roles: vec!["viewer".parse().unwrap()],
            ..KeyPolicy::default()
        };
        assert_eq!(violated(&policy, None, &["editor"]), ["max_ttl", "require_expiration", "allowed_roles"]);
        let system = Key { roles: vec!["privileged".parse().unwrap()], ..key(None, true) };
        assert_eq!(policy.violated_by(&system, at(0)), []);
    }

    #[test]
    fn bounds_are_checked() {
        let of =
            |max_ttl, max_rotation_grace| KeyPolicy { max_ttl, max_rotation_grace, ..KeyPolicy::default() };
        for (policy, valid) in [
            (of(None, None), true),
            (of(Some(Duration::from_secs(1)), Some(90 * DAY)), true),
            (of(Some(Duration::ZERO), None), false),
            (of(Some(3651 * DAY), None), false),
            (of(None, Some(91 * DAY)), false),
            (KeyPolicy { max_active_keys: Some(100_000), ..KeyPolicy::default() }, true),
            (KeyPolicy { max_active_keys: Some(100_001), ..KeyPolicy::default() }, false),
        ] {
            assert_eq!(policy.clone().checked().is_ok(), valid, "{policy:?}");
        }
    }
}
