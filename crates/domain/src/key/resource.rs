//! The key as a resource.

use serde_json::{Value, json};

use crate::{
    Revision,
    id::ProjectId,
    name::{KeyName, ServiceAccountName},
    resource::{Kind, Resource, texts, time},
};

use super::{Key, StoredSecret};

impl Resource for Key {
    const KIND: Kind = Kind("keys");
    type Name = KeyName;

    fn name(&self) -> KeyName {
        KeyName { project: self.project.clone(), key: self.id }
    }

    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn describe(&self) -> Value {
        json!({
            "display_name": self.display_name.as_str(),
            "service_account": self.service_account.as_str(),
            "environment": self.environment.as_str(),
            "customers": texts(&self.customers),
            "allowed_cidrs": texts(&self.allowed_cidrs),
            "metadata": self.metadata.entries(),
            "tags": texts(&self.tags),
            "expire_time": time(self.expire_time),
            "disable_time": time(self.disable_time),
            "revoke_time": time(self.revocation.as_ref().map(|it| it.time)),
            "revoke_reason": self.revocation.as_ref().map(|it| it.reason.as_str()),
            "delete_time": time(self.deletion.map(|it| it.time)),
            "purge_time": time(self.deletion.map(|it| it.purge_time)),
            "secrets": self.secrets.iter().map(secret).collect::<Vec<_>>(),
            "protected": self.protected,
        })
    }
}

impl Key {
    /// The name of the account that owns it.
    pub fn owner(&self) -> ServiceAccountName {
        ServiceAccountName { project: self.project.clone(), service_account: self.service_account.clone() }
    }
}

fn secret(secret: &StoredSecret) -> Value {
    json!({ "version": secret.version, "expire_time": time(secret.expire_time) })
}
