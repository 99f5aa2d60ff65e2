//! UpdateKey's mask and the fields that it may name.

use domain::{access::Grant, expiry::Expiry, name::KeyName};
use proto::key::Expiration;

use crate::{
    grpc::wire::{
        faults::{Faults, not_yet},
        mask::Mask,
        role_refs::roles,
    },
    verbs::{Error, KeyPatch},
};

#[derive(Debug)]
pub(super) struct Update {
    pub(super) name: KeyName,
    pub(super) etag: String,
    pub(super) patch: KeyPatch,
}

/// How many roles a key may hold.
pub(super) const MOST_ROLES: usize = 16;

/// Names for a key's end, any of which a mask may use.
const EXPIRATION: [&str; 3] = ["expire_time", "ttl", "expiration"];

pub(super) fn read(request: &proto::UpdateKeyRequest) -> Result<Update, Error> {
    let unset = proto::Key::default();
    let key = request.key.as_ref().unwrap_or(&unset);
    let mutable: Vec<_> =
        ["display_name", "roles", "permissions", "customers", "allowed_cidrs", "metadata", "tags"]
            .into_iter()
            .chain(EXPIRATION)
            .collect();
    let mut faults = Faults::default();
    let mask = Mask::read(
        &mut faults,
        request.update_mask.as_ref(),
        &mutable,
        &["key.plan", "key.limits", "key.credits"],
    )?;
    if !matches!(mask, Mask::Paths(_)) {
        not_yet("key.", &not_yet_on(key))?;
    }

    let name: Option<KeyName> = faults.read("key.name", &key.name);
    let mut patch = KeyPatch::default();
    if mask.names("display_name", !key.display_name.is_empty()) {
        patch.display_name = faults.read("key.display_name", &key.display_name);
    }
    if mask.names("roles", !key.roles.is_empty())
        && let Some(name) = &name
    {
        patch.roles = roles(&mut faults, "key.roles", &key.roles, &name.project, MOST_ROLES);
    }
    if mask.names("permissions", !key.permissions.is_empty()) {
        patch.permissions = permissions(&mut faults, &key.permissions);
    }
    if mask.names("customers", !key.customers.is_empty()) {
        patch.customers = faults.list("key.customers", &key.customers, 100);
    }
    if mask.names("allowed_cidrs", !key.allowed_cidrs.is_empty()) {
        patch.allowed_cidrs = faults.cidrs("key.allowed_cidrs", &key.allowed_cidrs);
    }
    if mask.names("metadata", !key.metadata.is_empty()) {
        patch.metadata = faults.metadata("key.metadata", &key.metadata);
    }
    if mask.names("tags", !key.tags.is_empty()) {
        patch.tags = faults.list("key.tags", &key.tags, 32);
    }
    if EXPIRATION.iter().any(|field| mask.names(field, key.expiration.is_some())) {
        patch.expiry = match &key.expiration {
            Some(expiration) => expiry(&mut faults, expiration),
            None => Some(Expiry::Never),
        };
    }
    patch.service_account = faults.read_optional("key.service_account", &key.service_account).flatten();
    patch.environment = faults.read_optional("key.environment", &key.environment).flatten();
    faults.finish(name.map(|name| Update { name, etag: key.etag.clone(), patch }))
}

/// The permissions that are granted to a key directly: sorted, each once.
pub(super) fn permissions(faults: &mut Faults, texts: &[String]) -> Option<Vec<Grant>> {
    const MOST: usize = 200;
    faults.grants("key.permissions", texts, MOST)
}

pub(super) fn expiry(faults: &mut Faults, expiration: &Expiration) -> Option<Expiry> {
    match expiration {
        Expiration::ExpireTime(time) => faults.time("key.expire_time", time).map(Expiry::At),
        Expiration::Ttl(span) => faults.duration("key.ttl", span).map(Expiry::In),
    }
}

/// The fields of a key whose capabilities are still to come, and whether they are asked for.
pub(super) fn not_yet_on(key: &proto::Key) -> [(&'static str, bool); 3] {
    [("plan", !key.plan.is_empty()), ("limits", !key.limits.is_empty()), ("credits", key.credits.is_some())]
}
