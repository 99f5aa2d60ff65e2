//! What a change touches, read from the name of its target.

use super::{
    id::{KeyId, ProjectId},
    name::{KeyName, ProjectName, ServiceAccountName},
};

/// The resource whose change may alter how keys verify.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    Key(KeyId),
    ServiceAccount(ServiceAccountName),
    Project(ProjectId),
}

impl Changed {
    /// `None` for a name that no key depends on.
    pub fn by_name(target: &str) -> Option<Self> {
        if let Ok(KeyName { key, .. }) = target.parse() {
            return Some(Self::Key(key));
        }
        if let Ok(ProjectName(project)) = target.parse() {
            return Some(Self::Project(project));
        }
        target.parse().ok().map(Self::ServiceAccount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_are_told_apart() {
        let id = KeyId::new(crate::domain::time::Timestamp::from_micros(0), [1; 10]);
        let key = format!("projects/acme/keys/{id}");
        assert_eq!(Changed::by_name(&key), Some(Changed::Key(id)));
        assert_eq!(Changed::by_name("projects/acme"), Some(Changed::Project("acme".parse().unwrap())));
        let account = "projects/acme/serviceAccounts/ci";
        assert_eq!(Changed::by_name(account), Some(Changed::ServiceAccount(account.parse().unwrap())));
        assert_eq!(Changed::by_name("webhooks/7"), None);
    }
}
