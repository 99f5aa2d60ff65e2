//! What a change touches, read from the name of its target.

use super::{
    id::{KeyId, ProjectId},
    name::{KeyName, ProjectName, RoleName, ServiceAccountName},
};

/// The resource whose change may alter how keys verify.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    Key(KeyId),
    ServiceAccount(ServiceAccountName),
    Role(RoleName),
    Project(ProjectId),
    /// Not known, so everything may have changed.
    Everything,
}

impl Changed {
    /// What a change of `target` touches; of a resource that has no rule here, all of its project.
    pub fn by_name(target: &str) -> Self {
        if let Ok(KeyName { key, .. }) = target.parse() {
            return Self::Key(key);
        }
        if let Ok(account) = target.parse() {
            return Self::ServiceAccount(account);
        }
        if let Ok(role) = target.parse() {
            return Self::Role(role);
        }
        let end = target.match_indices('/').nth(1).map_or(target.len(), |(at, _)| at);
        match target[..end].parse() {
            Ok(ProjectName(project)) => Self::Project(project),
            Err(_) => Self::Everything,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_are_distinguished() {
        let id = KeyId::new(crate::time::Timestamp::from_micros(0), [1; 10]);
        let acme = Changed::Project("acme".parse().unwrap());
        let account = "projects/acme/serviceAccounts/ci";
        assert_eq!(Changed::by_name(&format!("projects/acme/keys/{id}")), Changed::Key(id));
        assert_eq!(Changed::by_name(account), Changed::ServiceAccount(account.parse().unwrap()));
        assert_eq!(Changed::by_name("projects/acme"), acme);
        let role = "projects/acme/roles/viewer";
        assert_eq!(Changed::by_name(role), Changed::Role(role.parse().unwrap()));
        assert_eq!(Changed::by_name("projects/acme/plans/free"), acme);
        assert_eq!(Changed::by_name("something/else"), Changed::Everything);
    }
}
