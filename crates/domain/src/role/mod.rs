//! The role: a named set of permissions and endpoints, which keys of its project hold.

mod built_in;

use serde_json::{Value, json};

use super::{
    Revision,
    access::{EndpointPattern, Grant},
    id::{ProjectId, RoleId, ServiceAccountId},
    key::Forbidden,
    name::RoleName,
    resource::{Kind, Resource, texts},
    text::{Description, DisplayName},
    time::Timestamp,
};

pub use built_in::built_in;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub project: ProjectId,
    pub id: RoleId,
    pub display_name: DisplayName,
    pub description: Description,
    /// Sorted, each once.
    pub permissions: Vec<Grant>,
    /// Sorted, each once.
    pub endpoints: Vec<EndpointPattern>,
    /// Defined by Keystile: it cannot be changed or deleted.
    pub built_in: bool,
    /// The account of the system project that created it; `None` for Keystile itself.
    pub created_by: Option<ServiceAccountId>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub revision: Revision,
}

impl Role {
    pub fn updatable(&self) -> Result<(), Forbidden> {
        self.own("changed")
    }

    pub fn deletable(&self) -> Result<(), Forbidden> {
        self.own("deleted")
    }

    /// The bytes that its texts take in memory.
    pub fn size(&self) -> usize {
        let permissions = self.permissions.iter().map(|it| size_of_val(it) + it.as_str().len());
        let endpoints = self.endpoints.iter().map(|it| size_of_val(it) + it.as_str().len());
        let texts = self.display_name.as_str().len() + self.description.as_str().len();
        size_of::<Self>() + texts + permissions.sum::<usize>() + endpoints.sum::<usize>()
    }

    fn own(&self, verb: &'static str) -> Result<(), Forbidden> {
        if self.built_in { Err(Forbidden::Protected { verb }) } else { Ok(()) }
    }
}

impl Resource for Role {
    const KIND: Kind = Kind("roles");
    type Name = RoleName;

    fn name(&self) -> RoleName {
        RoleName { project: self.project.clone(), role: self.id.clone() }
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
            "description": self.description.as_str(),
            "permissions": texts(&self.permissions),
            "endpoints": texts(&self.endpoints),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer() -> Role {
        let time = Timestamp::from_micros(1);
        let mut roles = built_in(&"acme".parse().unwrap(), time);
        roles.remove(roles.iter().position(|it| it.id.as_str() == "viewer").unwrap())
    }

    #[test]
    fn it_has_a_name_and_a_revision() {
        let role = Role { revision: 5, ..viewer() };
        assert_eq!(role.name().to_string(), "projects/acme/roles/viewer");
        assert_eq!((Resource::project(&role).as_str(), Resource::revision(&role)), ("acme", 5));
    }

    #[test]
    fn a_built_in_role_cannot_be_changed_or_deleted() {
        let role = viewer();
        assert_eq!(role.updatable(), Err(Forbidden::Protected { verb: "changed" }));
        assert_eq!(role.deletable(), Err(Forbidden::Protected { verb: "deleted" }));
        let own = Role { built_in: false, ..role };
        assert_eq!((own.updatable(), own.deletable()), (Ok(()), Ok(())));
    }

    #[test]
    fn the_size_counts_every_byte_of_text() {
        let role = viewer();
        let texts = "Viewer".len() + "Reads everything.".len();
        let grants = 2 * size_of::<Grant>() + "*.read".len() + "chat.run".len();
        let patterns = 2 * size_of::<EndpointPattern>() + "GET /**".len() + "HEAD /**".len();
        assert_eq!(role.size(), size_of::<Role>() + texts + grants + patterns);
    }

    #[test]
    fn the_audit_trail_shows_what_it_grants() {
        assert_eq!(
            viewer().describe(),
            json!({
                "display_name": "Viewer", "description": "Reads everything.",
                "permissions": ["*.read", "chat.run"], "endpoints": ["GET /**", "HEAD /**"],
            })
        );
    }
}
