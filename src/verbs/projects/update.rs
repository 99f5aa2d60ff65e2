//! UpdateProject: its name, retention and environments; an environment that keys use stays.

use domain::{
    id::{ProjectId, RoleId},
    name::ProjectName,
    project::{Environment, Environments, KeyPolicy, Prefix, Project, Retention},
    text::DisplayName,
};

use crate::{
    ports::commits::{Expect, KeysOf},
    verbs::{
        Call, Error, Service,
        attempt::AttemptError,
        change::{Edit, check_immutable, immutable},
        keys::expect_roles,
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

const ACTION: &str = "projects.update";

impl Service {
    pub async fn update_project(
        &self,
        call: &Call,
        id: &ProjectId,
        etag: &str,
        patch: &ProjectPatch,
    ) -> Result<Project, Error> {
        let name = ProjectName(id.clone());
        let attempt = || self.try_update_project(call, &name, etag, patch);
        self.once(call, ACTION, &name, attempt, |_| self.get::<Project>(&call.caller, &name)).await
    }

    async fn try_update_project(
        &self,
        call: &Call,
        name: &ProjectName,
        etag: &str,
        patch: &ProjectPatch,
    ) -> Result<Project, AttemptError> {
        let ProjectName(id) = name;
        if let Some(policy) = &patch.key_policy {
            let project: Project = self.load(&call.caller, name).await?;
            let roles = added_roles(policy, &project);
            self.check_roles("project.key_policy.allowed_roles", id, &roles).await?;
        }
        let edit = |before: Project, now| {
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
            let mut expect = expect_roles(id, &added_roles(&after.key_policy, &before));
            expect.extend(before.environments.dropped_in(&after.environments).map(unused));
            Ok(Edit { after, expect, with: () })
        };
        let (project, _) = self.try_change(call, ACTION, name, etag, edit).await?;
        Ok(project)
    }
}

/// The roles that `policy` allows and that of `project` does not name yet. One that it names may be deleted already.
fn added_roles(policy: &KeyPolicy, project: &Project) -> Vec<RoleId> {
    let known = &project.key_policy.allowed_roles;
    policy.allowed_roles.iter().filter(|role| !known.contains(role)).cloned().collect()
}
