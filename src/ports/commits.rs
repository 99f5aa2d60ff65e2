//! Making changes: each as a whole or not at all, with its event in the change log.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use domain::{
    Revision,
    audit::{Change, Head},
    id::{EnvironmentId, Generation, ProjectId, RoleId, ServiceAccountId},
    name::{RoleName, ServiceAccountName},
    resource::Kind,
    time::Timestamp,
};

use super::{
    StoreError,
    write::{AnyResource, Write},
};

#[async_trait]
pub trait Commits: Debug + Send + Sync + 'static {
    /// Does all of it, or nothing; answers with the place of each step's event in the log.
    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError>;

    /// The request of this digest, if a commit has remembered it and it is not forgotten yet.
    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError>;
}

/// Changes that are made together, with what must still hold when they are made.
#[derive(Debug)]
pub struct Commit {
    /// Checked when the turn of these changes comes, without the database: they may wait long for others.
    pub condition: Option<Condition>,
    pub expect: Vec<Expect>,
    /// Each becomes an event of its own, in this order. None when a request turned out to change nothing, and is only
    /// remembered.
    pub steps: Vec<CommitStep>,
    pub remember: Option<Remembered>,
    /// Find out whether it would go through, and leave everything as it is.
    pub validate_only: bool,
}

/// What must hold as far as this node knows; else it is a [`CommitError::Conflict`].
pub struct Condition(Box<dyn Fn() -> bool + Send + Sync>);

impl Condition {
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(holds))
    }

    pub fn holds(&self) -> bool {
        (self.0)()
    }
}

impl Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}

/// The change of one resource.
#[derive(Debug)]
pub struct CommitStep {
    pub change: Change,
    pub writes: Vec<Write>,
}

/// What must hold when a change is made, after all changes before it.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The resource is as it was read.
    Unchanged(Box<AnyResource>),
    /// The account exists, and is the one of this generation.
    Owner(ServiceAccountName, Generation),
    /// The account of this generation has so many keys that are not deleted, and this is the newest change of them: since they were read, none
    /// was added, changed or removed.
    KeysOfOwner { owner: ServiceAccountName, generation: Generation, number: u64, newest: Revision },
    /// The role exists.
    Role(RoleName),
    /// No deleted role of this name still has to be removed from keys.
    NoRemoval(RoleName),
    /// The project has no such key now. Deleted keys count unless they are exempt, purged ones never do, and a system key
    /// only if it holds the role in question.
    NoKeys { project: ProjectId, of: KeysOf, except_deleted: bool, now: Timestamp },
    /// The project has fewer active keys than this, without its system key.
    ActiveKeysBelow { project: ProjectId, most: u32, now: Timestamp },
    /// The project has fewer roles than this, the built-in ones included.
    RolesBelow(ProjectId, u32),
    /// The project has no service account but the one that owns its system key.
    NoServiceAccounts(ProjectId),
    /// The project has no role but the built-in ones.
    NoRoles(ProjectId),
}

impl Expect {
    pub fn unchanged(resource: impl Into<AnyResource>) -> Self {
        Self::Unchanged(Box::new(resource.into()))
    }
}

#[derive(Debug, Clone)]
pub enum KeysOf {
    Project,
    ServiceAccount(ServiceAccountId, Generation),
    Environment(EnvironmentId),
    /// Those that hold it.
    Role(RoleId),
}

/// SHA-256 over everything that makes a request id unique: caller, method, parent and the id itself.
pub type RequestDigest = [u8; 32];

/// A request that may be repeated, and what it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub id: RequestDigest,
    /// SHA-256 over the whole request but for `validate_only`, which a repeat must match.
    pub fingerprint: [u8; 32],
    /// The name of what it made.
    pub target: String,
    pub time: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something changed since it was read.
    #[error("something changed since it was read")]
    Conflict,
    /// A request with this digest is remembered: the commit is a repeat of one that was made.
    #[error("the request was seen before")]
    Repeated,
    #[error("one of the {0} exists already")]
    Exists(Kind),
    /// One of the expectations that there are no such resources does not hold.
    #[error("it is in use by {0}")]
    InUse(Kind),
    /// [`Expect::ActiveKeysBelow`] does not hold for this project.
    #[error("projects/{0} has as many active keys as it may have")]
    TooManyKeys(ProjectId),
    /// [`Expect::RolesBelow`] does not hold.
    #[error("projects/{0} has {1} roles, as many as it may have")]
    TooManyRoles(ProjectId, u32),
    /// [`Expect::Owner`] does not hold for this account.
    #[error("{0} is gone")]
    OwnerGone(ServiceAccountName),
    /// [`Expect::NoRemoval`] does not hold.
    #[error("one of the same name is still being deleted")]
    DeletionUnderWay,
    /// The database failed in the middle of COMMIT: the change was made as a whole or not at all.
    #[error("whether the change was made is not known: {0}")]
    OutcomeUnknown(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}
