//! UpdateKey: describe a key anew, or change its policy.

use ipnet::IpNet;

use crate::{
    domain::{
        expiry::Expiry,
        key::Forbidden,
        labels::{Customer, Metadata, Tag},
        name::KeyName,
        text::DisplayName,
    },
    service::{Call, Error, KeyView, Service},
};

use super::create::expiry_field;

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct KeyPatch {
    pub display_name: Option<DisplayName>,
    pub customers: Option<Vec<Customer>>,
    pub allowed_cidrs: Option<Vec<IpNet>>,
    pub metadata: Option<Metadata>,
    pub tags: Option<Vec<Tag>>,
    pub expiry: Option<Expiry>,
}

impl Service {
    pub async fn update_key(
        &self,
        call: &Call,
        name: &KeyName,
        etag: &str,
        patch: &KeyPatch,
    ) -> Result<KeyView, Error> {
        self.change_key(call, "keys.update", name, etag, |mut key, now| {
            key.updatable(now).map_err(super::forbidden(name))?;
            let patch = patch.clone();
            if let Some(expiry) = patch.expiry {
                if key.protected && expiry != Expiry::Never {
                    return Err(super::forbidden(name)(Forbidden::Protected { verb: "given an expiry" }));
                }
                let end = expiry.resolve(now).map_err(|why| Error::invalid(expiry_field(expiry), &why))?;
                key.end_at(end);
            }
            if let Some(customers) = patch.customers {
                if key.project.is_system() && !customers.is_empty() {
                    return Err(Error::NotYetAvailable { field: "key.customers".to_owned() });
                }
                key.customers = customers;
            }
            key.display_name = patch.display_name.unwrap_or(key.display_name);
            key.allowed_cidrs = patch.allowed_cidrs.unwrap_or(key.allowed_cidrs);
            key.metadata = patch.metadata.unwrap_or(key.metadata);
            key.tags = patch.tags.unwrap_or(key.tags);
            key.update_time = now;
            Ok(key.into())
        })
        .await
    }
}
