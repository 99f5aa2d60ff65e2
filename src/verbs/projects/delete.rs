//! DeleteProject: for good, and what it owns after it; more than its system key only with `force`.

use domain::{
    id::ProjectId,
    key::Forbidden,
    name::ProjectName,
    project::Project,
    removal::{Removal, Removed},
};

use crate::{
    ports::{
        commits::{Expect, KeysOf},
        write::Write,
    },
    verbs::{Call, Error, Service, attempt::AttemptError, change::forbidden, step::Step},
};

const ACTION: &str = "projects.delete";

impl Service {
    pub async fn delete_project(
        &self,
        call: &Call,
        id: &ProjectId,
        etag: &str,
        force: bool,
    ) -> Result<(), Error> {
        let name = ProjectName(id.clone());
        let attempt = || async { self.try_delete_project(call, &name, etag, force).await.map(Some) };
        self.delete(call, ACTION, &name, attempt).await
    }

    /// Answers with what is still to be done.
    async fn try_delete_project(
        &self,
        call: &Call,
        name: &ProjectName,
        etag: &str,
        force: bool,
    ) -> Result<Removal, AttemptError> {
        let project: Project = self.load_expected(call, name, etag).await?;
        if project.id.is_system() {
            return Err(forbidden(name)(Forbidden::Protected { verb: "deleted" }).into());
        }
        let now = self.clock.now();
        let id = || project.id.clone();
        let nothing_but_its_system_key = || {
            vec![
                Expect::NoKeys { project: id(), of: KeysOf::Project, except_deleted: false, now },
                Expect::NoServiceAccounts(id()),
                Expect::NoRoles(id()),
            ]
        };
        let expect = if force { Vec::new() } else { nothing_but_its_system_key() };
        let removal = Removal {
            of: Removed::Project(id()),
            actor: call.caller.actor.clone(),
            peer: call.caller.peer.clone(),
        };
        let deletion = Step::delete(ACTION, &project, now).and(Write::BeginRemoval(removal.clone()));
        self.commit(call, expect, deletion).await?;
        Ok(removal)
    }
}
