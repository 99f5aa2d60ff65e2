//! DeleteProject: for good, and what it owns after it; more than its system key only with `force`.

use domain::{
    describe,
    id::ProjectId,
    key::Forbidden,
    name::ProjectName,
    removal::{Removal, Removed},
};

use crate::{
    ports::store::{Expect, KeysOf, Write},
    verbs::{
        Call, Error, Service,
        change::{Failed, Target, check_etag},
    },
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
        let removal = self.once(call, ACTION, &name, attempt, |_| std::future::ready(Ok(None))).await?;
        if let Some(removal) = removal {
            self.follow(call, &removal).await;
        }
        Ok(())
    }

    /// Answers with what is still to be done.
    async fn try_delete_project(
        &self,
        call: &Call,
        name: &ProjectName,
        etag: &str,
        force: bool,
    ) -> Result<Removal, Failed> {
        let id = &name.0;
        let project = self.load_project(id).await?;
        check_etag(name, etag, project.revision)?;
        if id.is_system() {
            let why = Forbidden::Protected { verb: "deleted" };
            return Err(Error::Forbidden { resource: name.to_string(), why }.into());
        }
        let now = self.clock.now();
        let expect = if force {
            Vec::new()
        } else {
            vec![
                Expect::NoKeys { project: id.clone(), of: KeysOf::Project, except_deleted: false, now },
                Expect::NoServiceAccounts(id.clone()),
            ]
        };
        let target = Target {
            action: ACTION,
            project: id.clone(),
            name: name.to_string(),
            before: Some(describe::project(&project)),
            after: None,
            time: now,
        };
        let removal =
            Removal { of: Removed::Project(id.clone()), actor: call.actor.clone(), peer: call.peer.clone() };
        let writes = vec![
            Write::DeleteProject { id: id.clone(), revision: project.revision, time: now },
            Write::BeginRemoval(removal.clone()),
        ];
        self.commit(call, target, expect, writes).await?;
        Ok(removal)
    }
}
