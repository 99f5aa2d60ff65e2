//! The projects that a caller may act on.

use std::{fmt, str::FromStr};

use crate::{Invalid, id::ProjectId, labels::Customer};

/// The customers of a key of the system project: they are the projects that it may act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projects {
    All,
    /// Sorted, each once.
    These(Box<[ProjectId]>),
}

/// One entry of the list: a project, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectGrant {
    All,
    One(ProjectId),
}

impl FromStr for ProjectGrant {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Ok(Self::All);
        }
        let wrong = |_| Invalid::new(format!("{text:?} must be the id of a project, or * for all"));
        text.parse().map(Self::One).map_err(wrong)
    }
}

impl Default for Projects {
    /// None.
    fn default() -> Self {
        Self::These(Box::default())
    }
}

impl Projects {
    /// Those that `customers` name. None is an error: it must not be taken for all.
    pub fn named_by(customers: &[Customer]) -> Result<Self, Invalid> {
        if customers.is_empty() {
            return Err(Invalid::new("must name the projects that the key may act on, or be * for all"));
        }
        let grants = customers.iter().map(|it| it.as_str().parse()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(grants))
    }

    /// Those that a stored key names; what is not a project's id names none.
    pub fn stored(customers: &[Customer]) -> Self {
        Self::of(customers.iter().filter_map(|it| it.as_str().parse().ok()))
    }

    fn of(grants: impl IntoIterator<Item = ProjectGrant>) -> Self {
        let mut these = Vec::new();
        for grant in grants {
            match grant {
                ProjectGrant::All => return Self::All,
                ProjectGrant::One(project) => these.push(project),
            }
        }
        these.sort();
        these.dedup();
        Self::These(these.into())
    }

    pub fn includes(&self, project: &ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.binary_search(project).is_ok(),
        }
    }

    /// The first of `others` that is not among these; `None` in it means all projects.
    pub fn missing<'a>(&self, others: &'a Self) -> Option<Option<&'a ProjectId>> {
        match (self, others) {
            (Self::All, _) => None,
            (_, Self::All) => Some(None),
            (_, Self::These(others)) => others.iter().find(|project| !self.includes(project)).map(Some),
        }
    }
}

impl fmt::Display for Projects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("projects/-"),
            Self::These(these) => {
                let names: Vec<_> = these.iter().map(|it| format!("projects/{it}")).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> Result<Projects, Invalid> {
        let customers: Vec<Customer> = texts.iter().map(|it| it.parse().unwrap()).collect();
        Projects::named_by(&customers)
    }

    fn id(text: &str) -> ProjectId {
        text.parse().unwrap()
    }

    #[test]
    fn they_are_named_one_by_one_or_all() {
        let some = named(&["shop", "acme", "shop"]).unwrap();
        assert_eq!(some, Projects::These([id("acme"), id("shop")].into()));
        assert!(some.includes(&id("acme")) && !some.includes(&id("other")));
        let all = named(&["acme", "*"]).unwrap();
        assert_eq!(all, Projects::All);
        assert!(all.includes(&id("other")));
        assert!(!Projects::default().includes(&id("acme")));
    }

    #[test]
    fn none_is_not_all_and_a_name_must_be_of_a_project() {
        assert!(named(&[]).is_err());
        assert!(named(&["Not-a-project"]).is_err());
        let customers = ["Not-a-project", "acme"].map(|it| it.parse().unwrap());
        assert_eq!(Projects::stored(&customers), Projects::These([id("acme")].into()));
        assert_eq!(Projects::stored(&[]), Projects::default());
    }

    #[test]
    fn what_is_missing_is_found() {
        let (acme, both) = (named(&["acme"]).unwrap(), named(&["acme", "shop"]).unwrap());
        assert_eq!(both.missing(&acme), None);
        assert_eq!(acme.missing(&both), Some(Some(&id("shop"))));
        assert_eq!(acme.missing(&Projects::All), Some(None));
        assert_eq!(Projects::All.missing(&Projects::All), None);
    }
}
