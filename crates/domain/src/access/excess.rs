//! Nobody grants what they do not hold: what a grant has that its giver lacks.

use super::{Access, Grant, Projects};
use crate::id::ProjectId;

/// What a caller or a key of the system project may do, and where.
#[derive(Debug, Clone, Copy)]
pub struct Holding<'a> {
    pub access: &'a Access,
    pub projects: &'a Projects,
}

/// The first permission and the first project that the giver lacks; at least one of them is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess<'a> {
    pub permission: Option<&'a Grant>,
    pub project: Option<MissingProject<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingProject<'a> {
    All,
    One(&'a ProjectId),
}

impl Holding<'_> {
    /// What of `given` this holder lacks. Endpoints do not count: no method of Keystile is allowed by one.
    pub fn lacks<'a>(&self, given: Holding<'a>) -> Option<Excess<'a>> {
        let permission = given.access.permissions().iter().find(|grant| !self.access.covers_grant(grant));
        let project = self.projects.missing(given.projects);
        let project = project.map(|missing| missing.map_or(MissingProject::All, MissingProject::One));
        (permission.is_some() || project.is_some()).then_some(Excess { permission, project })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::labels::Customer;

    fn access(grants: &[&str]) -> Access {
        let grants: Vec<Grant> = grants.iter().map(|it| it.parse().unwrap()).collect();
        Access::new([], &grants)
    }

    fn projects(names: &[&str]) -> Projects {
        let customers: Vec<Customer> = names.iter().map(|it| it.parse().unwrap()).collect();
        Projects::stored(&customers)
    }

    #[test]
    fn the_first_of_each_that_is_missing_is_named() {
        let (own, own_projects) = (access(&["keys.*", "roles.read"]), projects(&["acme", "shop"]));
        let own = Holding { access: &own, projects: &own_projects };
        for (grants, names, permission, project) in [
            (&["keys.create", "roles.read"][..], &["acme"][..], None, None),
            (&[], &[], None, None),
            (&["keys.*"], &["shop", "acme"], None, None),
            (&["keys.read", "roles.update", "zebra"], &["acme"], Some("roles.update"), None),
            (&["keys.read"], &["acme", "club"], None, Some("club")),
            (&["keys.read"], &["*"], None, Some("*")),
            (&["*"], &["*"], Some("*"), Some("*")),
            (&["roles.*"], &[], Some("roles.*"), None),
        ] {
            let (given, given_projects) = (access(grants), projects(names));
            let lacks = own.lacks(Holding { access: &given, projects: &given_projects });
            let found = lacks.map_or((None, None), |it| {
                let project = it.project.map(|it| match it {
                    MissingProject::All => "*",
                    MissingProject::One(id) => id.as_str(),
                });
                (it.permission.map(Grant::as_str), project)
            });
            assert_eq!(found, (permission, project), "{grants:?} {names:?}");
        }
    }

    proptest! {
        /// What a giver does not lack it allows itself.
        #[test]
        fn nothing_that_is_handed_on_allows_more_than_the_giver(
            own in prop::collection::vec("[ab*](\\.[ab*]){0,2}", 0..4),
            given in prop::collection::vec("[ab*](\\.[ab*]){0,2}", 0..4),
            asked in "[ab](\\.[ab]){0,3}",
        ) {
            let texts = |list: &[String]| access(&list.iter().map(String::as_str).collect::<Vec<_>>());
            let (own, given, none) = (texts(&own), texts(&given), Projects::default());
            let lacks = Holding { access: &own, projects: &none }
                .lacks(Holding { access: &given, projects: &none });
            if lacks.is_none() && given.allows(&asked) {
                prop_assert!(own.allows(&asked));
            }
        }
    }
}
