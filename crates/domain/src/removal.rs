//! The removal of what a deleted resource leaves behind, which continues after the deletion.

use super::{
    audit::Actor,
    id::ProjectId,
    key::Deletion,
    name::{ProjectName, RoleName, ServiceAccountName},
};
use crate::id::Generation;

/// What is still to be done; kept until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    pub of: Removed,
    /// Who made the deletion, and from where: the events of what follows name them as well.
    pub actor: Actor,
    pub peer: String,
}

/// What is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// Its keys are purged, its accounts and roles deleted, and its id is free after that.
    Project(ProjectId),
    /// Its keys are deleted.
    ServiceAccount { name: ServiceAccountName, generation: Generation, deletion: Deletion },
    /// It is removed from the keys that hold it, deleted ones included, and its id is free after that.
    Role(RoleName),
}

impl Removed {
    /// The name of what is gone.
    pub fn name(&self) -> String {
        match self {
            Self::Project(id) => ProjectName(id.clone()).to_string(),
            Self::ServiceAccount { name, .. } => name.to_string(),
            Self::Role(name) => name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::sample::at;

    #[test]
    fn a_removal_has_the_name_of_the_deleted_resource() {
        let account: ServiceAccountName = "projects/acme/serviceAccounts/ci".parse().unwrap();
        let deletion = Deletion { time: at(1), purge_time: at(2) };
        for (removed, name) in [
            (Removed::Project("acme".parse().unwrap()), "projects/acme"),
            (
                Removed::ServiceAccount { name: account, generation: 1, deletion },
                "projects/acme/serviceAccounts/ci",
            ),
            (Removed::Role("projects/acme/roles/editor".parse().unwrap()), "projects/acme/roles/editor"),
        ] {
            assert_eq!(removed.name(), name);
        }
    }
}
