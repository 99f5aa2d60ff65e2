//! UpdateKey's mask and the fields that it may name.

use domain::{expiry::Expiry, name::KeyName};
use proto::key::Expiration;

use crate::{
    grpc::wire::{
        faults::{Faults, not_yet},
        mask::Mask,
    },
    verbs::{Error, KeyPatch},
};

#[derive(Debug)]
pub(super) struct Update {
    pub(super) name: KeyName,
    pub(super) etag: String,
    pub(super) patch: KeyPatch,
}

/// Names for a key's end, any of which a mask may use.
const EXPIRATION: [&str; 3] = ["expire_time", "ttl", "expiration"];

pub(super) fn read(request: &proto::UpdateKeyRequest) -> Result<Update, Error> {
    let unset = proto::Key::default();
    let key = request.key.as_ref().unwrap_or(&unset);
    let mutable: Vec<_> = ["display_name", "customers", "allowed_cidrs", "metadata", "tags"]
        .into_iter()
        .chain(EXPIRATION)
        .collect();
    let mut faults = Faults::default();
    let mask = Mask::read(
        &mut faults,
        request.update_mask.as_ref(),
        &mutable,
        &["key.roles", "key.permissions", "key.plan", "key.limits", "key.credits"],
    )?;
    if !matches!(mask, Mask::Paths(_)) {
        not_yet("key.", &not_yet_on(key))?;
    }

    let name = faults.read("key.name", &key.name);
    let mut patch = KeyPatch::default();
    if mask.names("display_name", !key.display_name.is_empty()) {
        patch.display_name = faults.read("key.display_name", &key.display_name);
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

pub(super) fn expiry(faults: &mut Faults, expiration: &Expiration) -> Option<Expiry> {
    match expiration {
        Expiration::ExpireTime(time) => faults.time("key.expire_time", time).map(Expiry::At),
        Expiration::Ttl(span) => faults.duration("key.ttl", span).map(Expiry::In),
    }
}

/// The fields of a key whose capabilities are still to come, and whether they are asked for.
pub(super) fn not_yet_on(key: &proto::Key) -> [(&'static str, bool); 5] {
    [
        ("roles", !key.roles.is_empty()),
        ("permissions", !key.permissions.is_empty()),
        ("plan", !key.plan.is_empty()),
        ("limits", !key.limits.is_empty()),
        ("credits", key.credits.is_some()),
    ]
}
