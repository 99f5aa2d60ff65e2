//! The service account: a non-human identity that owns keys.

use serde_json::{Value, json};

use super::{
    Revision,
    id::{Generation, ProjectId, ServiceAccountId},
    key::{Forbidden, Key},
    labels::Metadata,
    name::ServiceAccountName,
    resource::{Kind, Resource},
    text::{DisplayName, ExternalId},
    time::Timestamp,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    pub project: ProjectId,
    pub id: ServiceAccountId,
    pub generation: Generation,
    pub display_name: DisplayName,
    pub external_id: ExternalId,
    pub metadata: Metadata,
    /// Who made it, among the system project's accounts; `None` for Keystile itself.
    pub created_by: Option<ServiceAccountId>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub disable_time: Option<Timestamp>,
    pub last_used_time: Option<Timestamp>,
    /// It owns the project's system key, so it stays as long as that.
    pub protected: bool,
    /// CreateKey made it for a key, and it has not been updated since: it is deleted when its last key is purged.
    pub implicit: bool,
    pub revision: Revision,
}

impl ServiceAccount {
    pub fn state(&self) -> &'static str {
        if self.disable_time.is_some() { "DISABLED" } else { "ACTIVE" }
    }

    pub fn disable(mut self, now: Timestamp) -> Result<Self, Forbidden> {
        if self.protected {
            return Err(Forbidden::Protected { verb: "disabled" });
        }
        if self.disable_time.is_some() {
            return Err(Forbidden::State { verb: "disabled", state: self.state() });
        }
        self.disable_time = Some(now);
        self.update_time = now;
        Ok(self)
    }

    pub fn enable(mut self, now: Timestamp) -> Result<Self, Forbidden> {
        if self.disable_time.is_none() {
            return Err(Forbidden::State { verb: "enabled", state: self.state() });
        }
        self.disable_time = None;
        self.update_time = now;
        Ok(self)
    }

    /// Whether it is the owner of `key`, and not only of the same id.
    pub fn owns(&self, key: &Key) -> bool {
        self.project == key.project
            && self.id == key.service_account
            && self.generation == key.account_generation
    }

    pub fn deletable(&self) -> Result<(), Forbidden> {
        if self.protected { Err(Forbidden::Protected { verb: "deleted" }) } else { Ok(()) }
    }
}

impl Resource for ServiceAccount {
    const KIND: Kind = Kind("service accounts");
    type Name = ServiceAccountName;

    fn name(&self) -> ServiceAccountName {
        ServiceAccountName { project: self.project.clone(), service_account: self.id.clone() }
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
            "external_id": self.external_id.as_str(),
            "metadata": self.metadata.entries(),
            "state": self.state(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::key::sample::{at, key};

    /// The owner of the sample key.
    fn account() -> ServiceAccount {
        ServiceAccount {
            project: "acme".parse().unwrap(),
            id: "ci".parse().unwrap(),
            generation: 7,
            display_name: "CI".parse().unwrap(),
            external_id: "42".parse().unwrap(),
            metadata: BTreeMap::from([("team".to_owned(), "core".to_owned())]).try_into().unwrap(),
            created_by: None,
            create_time: at(0),
            update_time: at(0),
            disable_time: None,
            last_used_time: None,
            protected: false,
            implicit: false,
            revision: 1,
        }
    }

    #[test]
    fn an_account_is_active_or_disabled() {
        let active = account();
        assert_eq!(active.state(), "ACTIVE");
        let refused = Forbidden::State { verb: "enabled", state: "ACTIVE" };
        assert_eq!(active.clone().enable(at(1)), Err(refused));
        let disabled = active.disable(at(1)).unwrap();
        assert_eq!(disabled.state(), "DISABLED");
        assert_eq!((disabled.disable_time, disabled.update_time), (Some(at(1)), at(1)));
        let refused = Forbidden::State { verb: "disabled", state: "DISABLED" };
        assert_eq!(disabled.clone().disable(at(2)), Err(refused));
        let enabled = disabled.enable(at(2)).unwrap();
        assert_eq!((enabled.disable_time, enabled.update_time), (None, at(2)));
        assert_eq!(enabled.deletable(), Ok(()));
    }

    #[test]
    fn the_owner_of_a_system_key_cannot_be_disabled_or_deleted() {
        let account = ServiceAccount { protected: true, ..account() };
        assert_eq!(account.deletable(), Err(Forbidden::Protected { verb: "deleted" }));
        assert_eq!(account.disable(at(1)), Err(Forbidden::Protected { verb: "disabled" }));
    }

    #[test]
    fn an_account_owns_keys_of_its_project_id_and_generation() {
        let (key, account) = (key(None, false), account());
        assert!(account.owns(&key));
        let other_project = ServiceAccount { project: "other".parse().unwrap(), ..account.clone() };
        let other_id = ServiceAccount { id: "cd".parse().unwrap(), ..account.clone() };
        let other_generation = ServiceAccount { generation: 8, ..account };
        for other in [other_project, other_id, other_generation] {
            assert!(!other.owns(&key), "{other:?}");
        }
    }

    #[test]
    fn an_account_has_a_name_and_a_revision() {
        let mut account = account();
        assert_eq!(account.name().to_string(), "projects/acme/serviceAccounts/ci");
        assert_eq!(Resource::project(&account).as_str(), "acme");
        account.revision = 5;
        assert_eq!(Resource::revision(&account), 5);
    }

    #[test]
    fn events_show_every_field() {
        let shown = |state: &str| {
            json!({
                "display_name": "CI", "external_id": "42", "metadata": { "team": "core" }, "state": state,
            })
        };
        assert_eq!(account().describe(), shown("ACTIVE"));
        assert_eq!(account().disable(at(1)).unwrap().describe(), shown("DISABLED"));
    }
}
