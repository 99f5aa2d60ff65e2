//! Resource names: `projects/{project}/keys/{key}` and the like, parsed once at the edge.

use std::{fmt, str::FromStr};

use super::{
    Invalid,
    id::{KeyId, ProjectId, RoleId, ServiceAccountId},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectName(pub ProjectId);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    pub project: ProjectId,
    pub key: KeyId,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceAccountName {
    pub project: ProjectId,
    pub service_account: ServiceAccountId,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleName {
    pub project: ProjectId,
    pub role: RoleId,
}

/// A name that says in which project to look.
pub trait InProject {
    fn project(&self) -> &ProjectId;
}

impl InProject for ProjectName {
    fn project(&self) -> &ProjectId {
        &self.0
    }
}

macro_rules! in_project {
    ($($name:ident),+) => {$(
        impl InProject for $name {
            fn project(&self) -> &ProjectId {
                &self.project
            }
        }
    )+};
}
in_project!(KeyName, ServiceAccountName, RoleName);

/// One project, or all of them: `projects/{project}` or `projects/-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Project(ProjectId),
    All,
}

impl FromStr for ProjectName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be of the form projects/{project}");
        text.strip_prefix("projects/").and_then(|id| id.parse().ok()).map(Self).ok_or_else(wrong)
    }
}

impl FromStr for KeyName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be of the form projects/{project}/keys/{key}");
        let (project, key) = split(text, "keys").ok_or_else(wrong)?;
        Ok(Self { project, key: key.parse().map_err(|_| wrong())? })
    }
}

impl FromStr for ServiceAccountName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be of the form projects/{project}/serviceAccounts/{account}");
        let (project, account) = split(text, "serviceAccounts").ok_or_else(wrong)?;
        Ok(Self { project, service_account: account.parse().map_err(|_| wrong())? })
    }
}

impl FromStr for RoleName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be of the form projects/{project}/roles/{role}");
        let (project, role) = split(text, "roles").ok_or_else(wrong)?;
        Ok(Self { project, role: role.parse().map_err(|_| wrong())? })
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "projects/-" {
            return Ok(Self::All);
        }
        text.parse()
            .map(|ProjectName(id)| Self::Project(id))
            .map_err(|_| Invalid::new("must be of the form projects/{project}, or projects/-"))
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}", self.0)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/keys/{}", self.project, self.key)
    }
}

impl fmt::Display for ServiceAccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/serviceAccounts/{}", self.project, self.service_account)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/roles/{}", self.project, self.role)
    }
}

fn split<'a>(text: &'a str, collection: &str) -> Option<(ProjectId, &'a str)> {
    let (project, rest) = text.strip_prefix("projects/")?.split_once('/')?;
    let id = rest.strip_prefix(collection)?.strip_prefix('/')?;
    Some((project.parse().ok()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        let key = "projects/acme/keys/01K3bRr7zW2Zk8sQ4n5mXA";
        let id = KeyId::new(super::super::time::Timestamp::from_micros(0), [1; 10]);
        let name = KeyName { project: "acme".parse().unwrap(), key: id };
        assert_eq!(name.to_string().parse(), Ok(name));
        assert!(key.parse::<KeyName>().is_err(), "the id is not a UUIDv7");
        let account = "projects/acme/serviceAccounts/ci";
        assert_eq!(account.parse::<ServiceAccountName>().unwrap().to_string(), account);
    }

    #[test]
    fn malformed_names_are_refused() {
        for bad in ["", "acme", "projects/", "projects/-", "projects/a/b", "projects/acme/", "Projects/acme"]
        {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
        }
        for bad in [
            "projects/acme/serviceAccounts/",
            "projects/acme/serviceAccounts/a/b",
            "projects//serviceAccounts/a",
        ] {
            assert!(bad.parse::<ServiceAccountName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_scope_is_one_project_or_all() {
        let acme: ProjectId = "acme".parse().unwrap();
        assert_eq!(ProjectName(acme.clone()).to_string(), "projects/acme");
        assert_eq!("projects/acme".parse(), Ok(ProjectName(acme.clone())));
        assert_eq!("projects/acme".parse(), Ok(Scope::Project(acme)));
        assert_eq!("projects/-".parse(), Ok(Scope::All));
        for bad in ["", "-", "projects/", "projects/-/", "projects/acme/keys"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }
}
