//! Where keys, their owners and the change log are kept.

use std::{collections::HashMap, fmt::Debug};

use async_trait::async_trait;
use domain::{
    Revision,
    audit::{Change, Event, Hash, Head},
    digest::{PepperCheck, PepperVersion},
    filter::Filter,
    id::{EnvironmentId, KeyId, ProjectId, ServiceAccountId},
    key::{Deletion, Key},
    listing::{AccountOrder, AccountTest, EventTest, KeyOrder, KeyTest},
    name::Scope,
    page::{Cursor, Page},
    project::Project,
    removal::{Removal, Removed},
    service_account::{Generation, ServiceAccount},
    text::DisplayName,
    time::Timestamp,
};

use super::recorder::{LastUse, Rehash};

/// The store failed; what it was asked for did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It does not answer now; trying again may help.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// Too many wait for it already; nothing was done, and trying again later may help.
    #[error("too many calls wait for the database: {0}")]
    Overloaded(String),
    /// It broke the statement off, which took too long; nothing was done.
    #[error("the database broke off a statement: {0}")]
    TooSlow(String),
    /// It answered what it never should.
    #[error("the database failed: {0}")]
    Broken(String),
}

/// How many keys one load brings at the most.
pub const LOADED_TOGETHER: usize = 64;

/// Keys with what their owners add, and the head of the change log when that was so.
#[derive(Debug)]
pub struct Loaded {
    /// Those that there are; one that cannot be read spoils no other.
    pub keys: HashMap<KeyId, Result<LoadedKey, StoreError>>,
    pub head: Head,
}

impl Loaded {
    /// `None` when there was no such key.
    pub fn key(&self, id: KeyId) -> Result<Option<&LoadedKey>, StoreError> {
        self.keys.get(&id).map(Result::as_ref).transpose().map_err(Clone::clone)
    }
}

#[derive(Debug, Clone)]
pub struct LoadedKey {
    pub key: Key,
    pub owner_disabled: bool,
}

/// Absence is `Ok(None)`; every look-up names its project, but those by a key's id alone.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    async fn ping(&self) -> Result<(), StoreError>;

    /// What verifications need of the keys `ids`, as they are at one instant, in one query; between one
    /// and [`LOADED_TOGETHER`] of them, whether there are such keys or not. A key whose project or account is gone
    /// is as good as none.
    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError>;
    /// The ids of keys that are worth knowing before anybody asks: those that were used last.
    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError>;

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError>;
    /// In the order of their creation.
    async fn projects(&self, page: Page<()>) -> Result<Vec<Project>, StoreError>;

    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError>;
    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError>;
    /// What those among `ids` that exist are called.
    async fn display_names(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, Called>, StoreError>;

    /// The key, deleted or not, unless its project is deleted.
    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError>;
    /// The key wherever it is, for who may see all projects.
    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError>;
    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError>;
    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError>;
    /// The first of the keys that are to go, or those behind `after`.
    async fn keys_to_go(
        &self,
        which: ToGo<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<Placed>, StoreError>;
    /// The implicit accounts that own some of `keys`, and no others.
    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError>;
    /// The first of the removals that are not finished, or those behind `after`.
    async fn removals(
        &self,
        after: Option<&RemovalPlace>,
        most: u64,
    ) -> Result<Vec<PlacedRemoval>, StoreError>;
    /// Forgets a removal that has left nothing to do. No change in the sense of the log: it has told of everything.
    async fn finish(&self, removal: &Removal) -> Result<(), StoreError>;

    async fn events(
        &self,
        scope: &Scope,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError>;
    /// Events from `start` on, in order, of every project.
    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError>;
    /// What changed after `revision`, in order.
    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<Step>, StoreError>;
    async fn head(&self) -> Result<Head, StoreError>;
    /// The same for what keeps verifications going, and never waits for admins.
    async fn head_for_verifications(&self) -> Result<Head, StoreError>;

    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError>;
    /// Forgets a portion of the requests from before that time, and says whether there may be more.
    async fn forget_requests(&self, before: Timestamp) -> Result<bool, StoreError>;

    /// How many secrets each pepper has keyed.
    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError>;
    /// What each pepper that was ever used is known by.
    async fn known_peppers(&self) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError>;
    /// Writes down what the pepper of this version is known by, unless that is there already, and answers with what is there.
    async fn make_pepper_known(
        &self,
        version: PepperVersion,
        check: &PepperCheck,
    ) -> Result<PepperCheck, StoreError>;

    /// Does all of it, or nothing; answers with the place of each step's event in the log.
    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError>;

    /// Moves last-used times forward, those that are known, in one transaction: changes may wait for it, so whoever has many
    /// brings them in portions. No change in the sense of the log.
    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), StoreError>;
    /// Puts digests under a newer pepper. No change in the sense of the log.
    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError>;
}

/// One entry of the change log, as far as a follower needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub revision: Revision,
    pub target: String,
    pub previous_hash: Hash,
    pub hash: Hash,
}

impl Step {
    pub fn head(&self) -> Head {
        Head { revision: self.revision, hash: self.hash }
    }
}

/// Word from the database that something changed; some may be lost.
#[async_trait]
pub trait Wakeups: Debug + Send {
    /// Resolves at the next word, or never where there is none to be had.
    async fn next(&mut self);
}

/// Which keys are to go.
#[derive(Debug, Clone, Copy)]
pub enum ToGo<'a> {
    /// Deleted keys whose purge time has come, the earliest first.
    Due(Timestamp),
    /// Those that a removal still has to delete or purge, the oldest first.
    Of(&'a Removed),
}

/// A key with its place in the order that it was read in; one that cannot be read has a place as well.
#[derive(Debug)]
pub struct Placed {
    pub place: Cursor,
    pub key: Result<Key, StoreError>,
}

/// A removal's place in the order of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalPlace {
    pub project: String,
    pub service_account: String,
    pub generation: Generation,
}

/// A removal with its place; one that cannot be read has a place as well.
#[derive(Debug)]
pub struct PlacedRemoval {
    pub place: RemovalPlace,
    pub removal: Result<Removal, StoreError>,
}

/// A service account's display name, and since when there is such an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub display_name: DisplayName,
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub struct KeyQuery<'a> {
    pub project: &'a ProjectId,
    pub filter: &'a Filter<KeyTest>,
    /// Deleted keys as well, as long as they are not purged.
    pub show_deleted: bool,
    /// Decides which keys are expired, and which are purged.
    pub now: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCounts {
    pub active: u64,
    pub disabled: u64,
    pub revoked: u64,
    pub expired: u64,
    pub deleted: u64,
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

/// Changes that are made together, with what must still hold when they are made.
#[derive(Debug)]
pub struct Commit {
    pub expect: Vec<Expect>,
    /// Each becomes an event of its own, in this order. None when a request turned out to change nothing, and is only
    /// remembered.
    pub steps: Vec<CommitStep>,
    pub remember: Option<Remembered>,
    /// Find out whether it would go through, and leave everything as it is.
    pub validate_only: bool,
}

/// The change of one resource.
#[derive(Debug)]
pub struct CommitStep {
    pub change: Change,
    pub writes: Vec<Write>,
}

#[derive(Debug)]
pub enum Expect {
    /// The account exists, and is the one of this generation.
    ServiceAccount(ProjectId, ServiceAccountId, Generation),
    /// The project is as it was at this revision.
    ProjectUnchanged(ProjectId, Revision),
    /// The project has no such key now. Deleted keys count unless they are exempt; purged ones and a system key
    /// never do.
    NoKeys { project: ProjectId, of: KeysOf, except_deleted: bool, now: Timestamp },
    /// The project has no service account but the one that owns its system key.
    NoServiceAccounts(ProjectId),
}

#[derive(Debug)]
pub enum KeysOf {
    Project,
    ServiceAccount(ServiceAccountId, Generation),
    Environment(EnvironmentId),
}

/// Updates and deletes carry the revision that was read; any other in the store is a conflict.
#[derive(Debug)]
pub enum Write {
    InsertProject(Project),
    UpdateProject(Project),
    /// Nobody finds it from now on, nor its keys and accounts. Its row stays until its removal is finished.
    DeleteProject {
        id: ProjectId,
        revision: Revision,
        time: Timestamp,
    },
    InsertServiceAccount(ServiceAccount),
    UpdateServiceAccount(ServiceAccount),
    DeleteServiceAccount {
        project: ProjectId,
        id: ServiceAccountId,
        revision: Revision,
    },
    /// A conflict while it owns a key, deleted or not.
    DeleteUnusedServiceAccount {
        project: ProjectId,
        id: ServiceAccountId,
        revision: Revision,
    },
    /// What the deleted owner leaves behind is to follow it.
    BeginRemoval(Removal),
    InsertKey(Key),
    UpdateKey(Key),
    /// Deletes it after its owner, in whatever state it is; nothing else of it changes.
    DeleteKey {
        project: ProjectId,
        id: KeyId,
        revision: Revision,
        deletion: Deletion,
        /// When that is done.
        time: Timestamp,
    },
    PurgeKey {
        project: ProjectId,
        id: KeyId,
        revision: Revision,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something changed since it was read.
    #[error("something changed since it was read")]
    Conflict,
    #[error("it exists already")]
    Exists(Existing),
    /// [`Expect::NoKeys`] or [`Expect::NoServiceAccounts`] does not hold.
    #[error("it is in use by {}", .0.as_str())]
    InUse(UsedBy),
    /// [`Expect::ServiceAccount`] does not hold.
    #[error("the service account is gone")]
    OwnerGone,
    /// The database failed in the middle of COMMIT: the change was made as a whole or not at all.
    #[error("whether the change was made is not known: {0}")]
    OutcomeUnknown(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What still depends on something that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedBy {
    Keys,
    ServiceAccounts,
}

impl UsedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::ServiceAccounts => "service accounts",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Project,
    ServiceAccount,
    Key,
    Request,
}
