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
            "roles": texts(&self.roles),
            "permissions": texts(&self.permissions),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::key::{
        Deletion, Revocation,
        sample::{at, key},
    };

    #[test]
    fn a_key_has_a_name_an_owner_and_a_revision() {
        let mut key = key(None, false);
        assert_eq!(key.name().to_string(), format!("projects/acme/keys/{}", key.id));
        assert_eq!(key.owner().to_string(), "projects/acme/serviceAccounts/ci");
        assert_eq!(Resource::project(&key).as_str(), "acme");
        key.revision = 5;
        assert_eq!(Resource::revision(&key), 5);
    }

    #[test]
    fn events_show_everything_but_secrets_and_digests() {
        let mut key = key(None, false);
        let secrets = json!([{ "version": 1, "expire_time": null }]);
        assert_eq!(
            key.describe(),
            json!({
                "display_name": "ci", "service_account": "ci", "environment": "production", "roles": [],
                "permissions": [], "customers": [],
                "allowed_cidrs": [], "metadata": {}, "tags": [], "expire_time": null, "disable_time": null,
                "revoke_time": null, "revoke_reason": null, "delete_time": null, "purge_time": null,
                "secrets": secrets, "protected": false,
            })
        );
        key.roles = vec!["viewer".parse().unwrap()];
        key.permissions = vec!["documents.*".parse().unwrap()];
        key.customers = vec!["shop".parse().unwrap()];
        key.allowed_cidrs = vec!["10.0.0.0/8".parse().unwrap()];
        key.metadata = BTreeMap::from([("team".to_owned(), "core".to_owned())]).try_into().unwrap();
        key.tags = ["a", "b"].map(|it| it.parse().unwrap()).to_vec();
        key.expire_time = Some(at(1));
        key.disable_time = Some(at(2));
        key.revocation = Some(Revocation { time: at(3), reason: "leaked".parse().unwrap() });
        key.deletion = Some(Deletion { time: at(4), purge_time: at(5) });
        key.secrets[0].expire_time = Some(at(6));
        key.protected = true;
        let time = |second: u8| format!("1970-01-01T00:00:0{second}Z");
        assert_eq!(
            key.describe(),
            json!({
                "display_name": "ci", "service_account": "ci", "environment": "production",
                "roles": ["viewer"], "permissions": ["documents.*"], "customers": ["shop"], "allowed_cidrs": ["10.0.0.0/8"], "metadata": { "team": "core" },
                "tags": ["a", "b"], "expire_time": time(1), "disable_time": time(2), "revoke_time": time(3),
                "revoke_reason": "leaked", "delete_time": time(4), "purge_time": time(5),
                "secrets": [{ "version": 1, "expire_time": time(6) }], "protected": true,
            })
        );
    }
}
