//! UpdateProject: its name, retention and environments; an environment that keys use stays.

use domain::{
    id::ProjectId,
    name::ProjectName,
    project::{Environment, Environments, KeyPolicy, Prefix, Project, Retention},
    text::DisplayName,
};

use crate::{
    ports::commits::{Expect, KeysOf},
    verbs::{
        Call, Error, Service,
        change::{Edit, check_immutable, immutable},
    },
};

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct ProjectPatch {
    pub display_name: Option<DisplayName>,
    pub environments: Option<Environments>,
    pub retention: Option<Retention>,
    pub key_policy: Option<KeyPolicy>,
    /// It cannot change: what the request says it is.
    pub prefix: Option<Prefix>,
}

impl Service {
    pub async fn update_project(
        &self,
        call: &Call,
        id: &ProjectId,
        etag: &str,
        patch: &ProjectPatch,
    ) -> Result<Project, Error> {
        let name = ProjectName(id.clone());
        if let Some(policy) = patch.key_policy.as_ref().filter(|policy| !policy.allowed_roles.is_empty()) {
            self.load_project(&call.caller, id).await?;
            let field = "project.key_policy.allowed_roles";
            self.check_roles(field, id, &policy.allowed_roles).await?;
        }
        self.change(call, "projects.update", &name, etag, |before: Project, now| {
            let patch = patch.clone();
            check_immutable([immutable("project.prefix", patch.prefix.as_ref(), &before.prefix)])?;
            let mut after = before.clone();
            after.display_name = patch.display_name.unwrap_or(after.display_name);
            after.environments = patch.environments.unwrap_or(after.environments);
            after.retention = patch.retention.unwrap_or(after.retention);
            after.key_policy = patch.key_policy.unwrap_or(after.key_policy);
            after.update_time = now;
            let unused = |environment: &Environment| Expect::NoKeys {
                project: id.clone(),
                of: KeysOf::Environment(environment.id.clone()),
                except_deleted: false,
                now,
            };
            let expect = before.environments.dropped_in(&after.environments).map(unused).collect();
            Ok(Edit { after, expect, with: () })
        })
        .await
    }
}
