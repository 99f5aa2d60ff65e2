//! The policy that the keys of a project must comply with.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{id::RoleId, resource::texts};

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

impl KeyPolicy {
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
