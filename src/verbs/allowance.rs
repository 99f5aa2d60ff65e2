//! Whether a caller may still make a change when its turn comes: changes wait for each other, and a caller may lose its key, a
//! permission or a project meanwhile.

use std::sync::Arc;

use domain::{id::ProjectId, key::is_past, name::ProjectName};

use crate::ports::{
    Changes, Clock,
    commits::{Condition, Expect},
};

use super::{Caller, Error, Service, Session};

/// What must hold when the turn of a change comes, so that its caller may make it.
#[derive(Default)]
pub(super) struct Allowance {
    pub(super) condition: Option<Condition>,
    pub(super) expect: Vec<Expect>,
}

impl Service {
    pub(super) async fn allowance(&self, caller: &Caller, project: &ProjectId) -> Result<Allowance, Error> {
        let Some(session) = caller.session() else { return Ok(Allowance::default()) };
        if is_as_proven(session, &*self.changes, &*self.clock) {
            let (session, changes, clock) = (session.clone(), self.changes.clone(), self.clock.clone());
            let condition = Condition::new(move || is_as_proven(&session, &*changes, &*clock));
            return Ok(Allowance { condition: Some(condition), expect: Vec::new() });
        }
        // Something of the caller changed, which may not matter: the database decides.
        let held = self.held_by(session).await?;
        if !held.projects.includes(project) {
            return Err(Error::not_found(&ProjectName(project.clone())));
        }
        if !caller.needs.is_empty() && !held.access.allows(caller.needs) {
            return Err(Error::PermissionDenied { permission: caller.needs });
        }
        let clock = self.clock.clone();
        let condition = Condition::new(move || !is_past(held.end, clock.now()));
        Ok(Allowance { condition: Some(condition), expect: held.expect })
    }
}

/// Whether nothing that proved `session` is known to have changed or ended.
fn is_as_proven(session: &Arc<Session>, changes: &dyn Changes, clock: &dyn Clock) -> bool {
    !is_past(session.end(), clock.now()) && session.stamps().all(|stamp| changes.is_unchanged(stamp))
}
