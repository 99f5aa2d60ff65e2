//! DeleteRole: for good; with `force` it leaves the keys that hold it.

use domain::{
    name::RoleName,
    removal::{Removal, Removed},
    role::Role,
    time::Timestamp,
};

use crate::{
    ports::{
        commits::{Expect, KeysOf},
        write::Write,
    },
    verbs::{Call, Error, Service, attempt::AttemptError, change::forbidden, step::Step},
};

const ACTION: &str = "roles.delete";

impl Service {
    pub async fn delete_role(
        &self,
        call: &Call,
        name: &RoleName,
        etag: &str,
        force: bool,
    ) -> Result<(), Error> {
        let attempt = || async { self.try_delete_role(call, name, etag, force).await.map(Some) };
        self.delete(call, ACTION, name, attempt).await
    }

    /// Returns what is still to be done. Even without `force`, deleted keys may hold the role, and can be undeleted.
    async fn try_delete_role(
        &self,
        call: &Call,
        name: &RoleName,
        etag: &str,
        force: bool,
    ) -> Result<Removal, AttemptError> {
        let role: Role = self.load_expected(call, name, etag).await?;
        role.deletable().map_err(forbidden(name))?;
        // As for an update: the caller could rotate a key that lost the role, and wait until it is given back.
        let mut expect = self.check_grant_of_role(&call.caller, Some(&role), &role).await?;
        let now = self.clock.now();
        let unused = Expect::NoKeys {
            project: name.project.clone(),
            of: KeysOf::Role(name.role.clone()),
            except_deleted: true,
            now,
        };
        if !force {
            expect.push(unused);
        }
        let removal = Removal {
            of: Removed::Role(name.clone()),
            actor: call.caller.actor.clone(),
            peer: call.caller.peer.clone(),
        };
        let deletion = deletion(&role, now).and(Write::BeginRemoval(removal.clone()));
        self.commit(call, expect, deletion).await?;
        Ok(removal)
    }
}

/// The step of a commit that deletes `role`.
pub(in crate::verbs) fn deletion(role: &Role, now: Timestamp) -> Step {
    Step::delete(ACTION, role, now)
}
