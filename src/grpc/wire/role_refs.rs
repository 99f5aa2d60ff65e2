//! References to roles in requests: by name, or by bare id.

use std::{collections::BTreeSet, str::FromStr};

use domain::{
    Invalid,
    id::{ProjectId, RoleId},
    name::RoleName,
};

use super::faults::Faults;

/// Up to `most` roles of `project`, by name or id: sorted, each once.
pub(in crate::grpc) fn roles(
    faults: &mut Faults,
    field: &str,
    texts: &[String],
    project: &ProjectId,
    most: usize,
) -> Option<Vec<RoleId>> {
    let list: Vec<RoleRef> = faults.list(field, texts, most)?;
    if list.iter().any(|role| role.project.as_ref().is_some_and(|of| of != project)) {
        let why = Invalid::new(format!("must be of the same project, projects/{project}"));
        return faults.take(field, Err(why));
    }
    // A name and a bare id may be of the same role.
    let ids: BTreeSet<RoleId> = list.into_iter().map(|role| role.id).collect();
    Some(ids.into_iter().collect())
}

/// A role's name, or its bare id.
#[derive(PartialEq)]
struct RoleRef {
    project: Option<ProjectId>,
    id: RoleId,
}

impl FromStr for RoleRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('/') {
            let RoleName { project, role } = text.parse()?;
            return Ok(Self { project: Some(project), id: role });
        }
        Ok(Self { project: None, id: text.parse()? })
    }
}
