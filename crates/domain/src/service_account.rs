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
    /// CreateKey made it for a key, and nobody has updated it since: it is deleted when its last key is purged.
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
