//! The roles that Keystile defines.

use super::Role;
use crate::{id::ProjectId, time::Timestamp};

struct Definition {
    id: &'static str,
    display_name: &'static str,
    description: &'static str,
    permissions: &'static [&'static str],
    endpoints: &'static [&'static str],
}

/// Of every project. Lists are sorted.
const OF_EVERY_PROJECT: [Definition; 2] = [
    Definition {
        id: "privileged",
        display_name: "Privileged",
        description: "Has every permission, and may call every endpoint.",
        permissions: &["*"],
        endpoints: &["* /**"],
    },
    Definition {
        id: "viewer",
        display_name: "Viewer",
        description: "Reads everything.",
        permissions: &["*.read", "chat.run"],
        endpoints: &["GET /**", "HEAD /**"],
    },
];

/// Of the system project: what the callers of Keystile itself may do.
const OF_THE_SYSTEM_PROJECT: [Definition; 4] = [
    Definition {
        id: "auditor",
        display_name: "Auditor",
        description: "Reads all resources and the audit trail, and explains decisions.",
        permissions: &["*.read", "keys.explain"],
        endpoints: &[],
    },
    Definition {
        id: "project-admin",
        display_name: "Project admin",
        description: "Manages the keys, roles and service accounts of its projects.",
        permissions: &[
            "audit.read",
            "keys.*",
            "projects.read",
            "projects.update",
            "roles.*",
            "service_accounts.*",
        ],
        endpoints: &[],
    },
    Definition {
        id: "root",
        display_name: "Root",
        description: "May do everything.",
        permissions: &["*"],
        endpoints: &["* /**"],
    },
    Definition {
        id: "verifier",
        display_name: "Verifier",
        description: "Verifies API keys, and does nothing else.",
        permissions: &["keys.verify"],
        endpoints: &[],
    },
];

/// The roles that `project`, created at `time`, is born with.
pub fn built_in(project: &ProjectId, time: Timestamp) -> Vec<Role> {
    let of_system = if project.is_system() { &OF_THE_SYSTEM_PROJECT[..] } else { &[] };
    OF_EVERY_PROJECT.iter().chain(of_system).map(|it| it.role(project, time)).collect()
}

impl Definition {
    fn role(&self, project: &ProjectId, time: Timestamp) -> Role {
        Role {
            project: project.clone(),
            id: self.id.parse().expect("it is a valid id"),
            display_name: self.display_name.parse().expect("it is a valid name"),
            description: self.description.parse().expect("it is a valid description"),
            permissions: read(self.permissions),
            endpoints: read(self.endpoints),
            built_in: true,
            created_by: None,
            create_time: time,
            update_time: time,
            revision: 0,
        }
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().expect("it is valid")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(project: &str) -> Vec<String> {
        let project = project.parse().unwrap();
        built_in(&project, Timestamp::from_micros(0)).iter().map(|it| it.id.to_string()).collect()
    }

    #[test]
    fn each_project_has_two_and_the_system_project_four_more() {
        assert_eq!(ids("acme"), ["privileged", "viewer"]);
        assert_eq!(ids("system"), ["privileged", "viewer", "auditor", "project-admin", "root", "verifier"]);
    }

    #[test]
    fn their_lists_are_sorted() {
        for role in built_in(&ProjectId::system(), Timestamp::from_micros(0)) {
            assert!(role.permissions.is_sorted() && role.endpoints.is_sorted(), "{}", role.id);
        }
    }
}
