//! The service account: a non-human identity that owns keys.

use super::{
    Revision,
    id::{ProjectId, ServiceAccountId},
    key::Forbidden,
    labels::Metadata,
    text::{DisplayName, ExternalId},
    time::Timestamp,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    pub project: ProjectId,
    pub id: ServiceAccountId,
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

    pub fn deletable(&self) -> Result<(), Forbidden> {
        if self.protected { Err(Forbidden::Protected { verb: "deleted" }) } else { Ok(()) }
    }
}
