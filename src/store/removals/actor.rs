//! Who made a deletion, as two columns: both are empty for Keystile itself.

use domain::audit::Actor;

use crate::{ports::StoreError, store::columns::read};

/// The account and the key.
pub(super) fn columns(actor: &Actor) -> (String, String) {
    match actor {
        Actor::Caller { service_account, key } => (service_account.to_string(), key.to_string()),
        Actor::Keystile => Default::default(),
    }
}

pub(super) fn from_columns(account: &str, key: &str) -> Result<Actor, StoreError> {
    if account.is_empty() {
        return Ok(Actor::Keystile);
    }
    Ok(Actor::Caller {
        service_account: read("removals.actor_account", account)?,
        key: read("removals.actor_key", key)?,
    })
}
