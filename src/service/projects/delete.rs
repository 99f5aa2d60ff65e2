//! DeleteProject: for good, and with `force` everything that it owns.

use crate::{
    domain::{describe, id::ProjectId, key::Forbidden, name::ProjectName},
    ports::store::{Expect, KeysOf, Write},
    service::{
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
        let attempt = || self.try_delete_project(call, &name, etag, force);
        self.once(call, ACTION, &name, attempt, |_| std::future::ready(Ok(()))).await
    }

    async fn try_delete_project(
        &self,
        call: &Call,
        name: &ProjectName,
        etag: &str,
        force: bool,
    ) -> Result<(), Failed> {
        let id = &name.0;
        let project = self.load_project(id).await?;
        check_etag(name, etag, project.revision)?;
        if id.is_system() {
            let why = Forbidden::Protected { verb: "deleted" };
            return Err(Error::Forbidden { resource: name.to_string(), why }.into());
        }
        let expect = if force {
            Vec::new()
        } else {
            vec![
                Expect::NoKeys { project: id.clone(), of: KeysOf::Project, except_deleted: false },
                Expect::NoServiceAccounts(id.clone()),
            ]
        };
        let target = Target {
            action: ACTION,
            project: id.clone(),
            name: name.to_string(),
            before: Some(describe::project(&project)),
            after: None,
            time: self.clock.now(),
        };
        let delete = Write::DeleteProject { id: id.clone(), revision: project.revision };
        self.commit(call, target, expect, vec![delete]).await?;
        Ok(())
    }
}
