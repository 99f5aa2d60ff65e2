//! UpdateProject: its name, retention and environments; an environment that keys use stays.

use domain::{
    describe,
    id::ProjectId,
    name::ProjectName,
    project::{Environments, Prefix, Project, Retention},
    text::DisplayName,
};

use crate::{
    ports::store::{Expect, KeysOf, Write},
    verbs::{
        Call, Error, Service,
        change::{Failed, Target, check_etag, check_immutable, immutable},
    },
};

/// What is to change; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct ProjectPatch {
    pub display_name: Option<DisplayName>,
    pub environments: Option<Environments>,
    pub retention: Option<Retention>,
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
        self.once(call, ACTION, &name, attempt, |_| self.get_project(id)).await
    }

    async fn try_update_project(
        &self,
        call: &Call,
        name: &ProjectName,
        etag: &str,
        patch: &ProjectPatch,
    ) -> Result<Project, Failed> {
        let before = self.load_project(&name.0).await?;
        check_etag(name, etag, before.revision)?;
        let now = self.clock.now();
        let mut after = before.clone();
        let patch = patch.clone();
        check_immutable([immutable("project.prefix", patch.prefix.as_ref(), &before.prefix)])?;
        after.display_name = patch.display_name.unwrap_or(after.display_name);
        after.environments = patch.environments.unwrap_or(after.environments);
        after.retention = patch.retention.unwrap_or(after.retention);
        after.update_time = now;
        let unused = |environment: &domain::project::Environment| Expect::NoKeys {
            project: name.0.clone(),
            of: KeysOf::Environment(environment.id.clone()),
            except_deleted: false,
            now,
        };
        let expect = before.environments.dropped_in(&after.environments).map(unused).collect();
        let target = Target {
            action: ACTION,
            project: name.0.clone(),
            name: name.to_string(),
            before: Some(describe::project(&before)),
            after: Some(describe::project(&after)),
            time: now,
        };
        if target.changes_nothing() {
            self.remember(call, target).await?;
            return Ok(before);
        }
        after.revision = self.commit(call, target, expect, vec![Write::UpdateProject(after.clone())]).await?;
        Ok(after)
    }
}
