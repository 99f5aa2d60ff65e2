//! A real store that can be made to fail, to hang, or to be slow to answer what it has read.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    Revision,
    access::Projects,
    audit::{Event, Head},
    digest::{PepperCheck, PepperVersion},
    filter::Filter,
    id::{KeyId, ProjectId, RoleId, ServiceAccountId},
    key::Key,
    page::{Cursor, Page},
    project::Project,
    query::{AccountOrder, AccountTest, EventTest, KeyOrder, RoleOrder, RoleTest},
    removal::Removal,
    role::Role,
    service_account::ServiceAccount,
    time::Timestamp,
};
use keystile::{
    ports::{
        Cleanup, Commits, Feed, LoadKeys, LoadRoles, PepperRecords, ReadKeys, ReadLog, ReadProjects,
        ReadRoles, ReadServiceAccounts, Readiness, Recording, StoreError, Upgrades,
        cleanup::{KeyAt, Removable, RemovalAt, RemovalCursor},
        commits::{Commit, CommitError, Remembered, RequestDigest},
        feed::FeedEntry,
        keys::{KeyCounts, KeyQuery},
        load::Loaded,
        recorder::{LastUse, Rehash},
        roles::LoadedRoles,
        service_accounts::AccountLabel,
    },
    store::SqlStore,
};
use tokio::{sync::watch, time::sleep};

use crate::gate::Gate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Answers,
    /// UNAVAILABLE at once.
    Fails,
    /// No answer until the mode changes.
    Hangs,
    /// It reads at once, and holds back what it has read until the mode changes.
    Holds,
    /// UNAVAILABLE at once for roles.
    FailsRoles,
    /// As `Holds`, for roles.
    HoldsRoles,
}

/// Counts its calls, and answers as its mode says.
#[derive(Debug)]
pub(crate) struct Faulty {
    real: SqlStore,
    mode: watch::Sender<Mode>,
    pub(crate) gate: Gate,
    loads: AtomicUsize,
    role_loads: AtomicUsize,
    /// How many keys, and answers with roles, were read but are held back.
    held: watch::Sender<usize>,
    follows: watch::Sender<usize>,
    /// How many more calls of `changes_after` succeed before it fails.
    answers: AtomicUsize,
    heads: AtomicUsize,
    /// Whether it keeps what it has read of changes.
    holds_changes: watch::Sender<bool>,
    /// How many times it has read changes, ever.
    changes_read: watch::Sender<usize>,
    /// The latency of `changes_after`.
    lag: Mutex<Duration>,
    /// If set, a write of uses takes this long and is not forwarded to the real store.
    pretends: Mutex<Option<Duration>>,
    /// Whether every other call to write uses fails, the first one included.
    every_other_fails: AtomicBool,
    /// How many calls to write uses there were while that was so.
    attempts: AtomicUsize,
    /// The uses that it wrote, call by call.
    portions: watch::Sender<Vec<Vec<LastUse>>>,
}

impl Faulty {
    pub(crate) fn new(real: SqlStore) -> Self {
        Self {
            real,
            mode: watch::Sender::new(Mode::Answers),
            gate: Gate::new(),
            loads: AtomicUsize::new(0),
            role_loads: AtomicUsize::new(0),
            held: watch::Sender::new(0),
            follows: watch::Sender::new(0),
            answers: AtomicUsize::new(usize::MAX),
            heads: AtomicUsize::new(0),
            holds_changes: watch::Sender::new(false),
            changes_read: watch::Sender::new(0),
            lag: Mutex::default(),
            pretends: Mutex::default(),
            every_other_fails: AtomicBool::new(false),
            attempts: AtomicUsize::new(0),
            portions: watch::Sender::default(),
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many keys were loaded since this was last called.
    pub(crate) fn loads(&self) -> usize {
        self.loads.swap(0, SeqCst)
    }

    /// How many queries for roles it was asked since this was last called.
    pub(crate) fn role_loads(&self) -> usize {
        self.role_loads.swap(0, SeqCst)
    }

    /// How many times the head of the log was read for verifications.
    pub(crate) fn heads(&self) -> usize {
        self.heads.swap(0, SeqCst)
    }

    /// How many times the changes were read since it was made.
    pub(crate) fn follows(&self) -> usize {
        *self.follows.borrow()
    }

    pub(crate) fn answers_changes(&self, times: usize) {
        self.answers.store(times, SeqCst);
    }

    pub(crate) fn answers_changes_after(&self, lag: Duration) {
        *self.lag.lock().unwrap() = lag;
    }

    /// From now on, or no longer, it reads what changed at once, and keeps it.
    pub(crate) fn hold_changes(&self, hold: bool) {
        self.holds_changes.send_replace(hold);
    }

    /// Resolves once it has read changes from now on.
    pub(crate) async fn reads_changes(&self) {
        let mut read = self.changes_read.subscribe();
        read.borrow_and_update();
        read.changed().await.unwrap();
    }

    pub(crate) async fn follows_reach(&self, number: usize) {
        self.follows.subscribe().wait_for(|follows| *follows >= number).await.unwrap();
    }

    pub(crate) fn pretend_to_write_uses(&self, time: Duration) {
        *self.pretends.lock().unwrap() = Some(time);
    }

    pub(crate) fn fail_every_other_write_of_uses(&self) {
        self.every_other_fails.store(true, SeqCst);
    }

    pub(crate) fn portions(&self) -> Vec<Vec<LastUse>> {
        self.portions.borrow().clone()
    }

    /// Resolves once it has written uses this many times since it was made.
    pub(crate) async fn portions_reach(&self, number: usize) {
        self.portions.subscribe().wait_for(|portions| portions.len() >= number).await.unwrap();
    }

    /// Resolves once this many keys, and answers with roles, are held back.
    pub(crate) async fn held(&self, number: usize) {
        self.held.subscribe().wait_for(|held| *held >= number).await.unwrap();
    }

    /// Holds back so many keys or roles that were read.
    async fn hold(&self, number: usize) {
        let mut mode = self.mode.subscribe();
        if *mode.borrow_and_update() == Mode::Holds {
            self.held.send_modify(|held| *held += number);
            mode.wait_for(|mode| *mode != Mode::Holds).await.unwrap();
        }
    }

    async fn before(&self) -> Result<(), StoreError> {
        let mut mode = self.mode.subscribe();
        let now = *mode.wait_for(|mode| *mode != Mode::Hangs).await.unwrap();
        if now == Mode::Fails { Err(StoreError::Unavailable("it is made to fail".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Readiness for Faulty {
    async fn ping(&self) -> Result<(), StoreError> {
        self.before().await?;
        self.real.ping().await
    }
}

#[async_trait]
impl LoadKeys for Faulty {
    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError> {
        self.loads.fetch_add(ids.len(), SeqCst);
        self.before().await?;
        let loaded = self.real.load(ids).await;
        self.hold(ids.len()).await;
        loaded
    }

    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError> {
        self.before().await?;
        self.real.lately_used(most).await
    }
}

#[async_trait]
impl LoadRoles for Faulty {
    async fn load_roles(&self, project: &ProjectId, ids: &[RoleId]) -> Result<LoadedRoles, StoreError> {
        self.role_loads.fetch_add(1, SeqCst);
        self.before().await?;
        let mut mode = self.mode.subscribe();
        let now = *mode.borrow_and_update();
        if now == Mode::FailsRoles {
            return Err(StoreError::Unavailable("it is made to fail".into()));
        }
        let loaded = self.real.load_roles(project, ids).await;
        if now == Mode::HoldsRoles {
            self.held.send_modify(|held| *held += 1);
            mode.wait_for(|mode| *mode != Mode::HoldsRoles).await.unwrap();
        }
        self.hold(1).await;
        loaded
    }
}

#[async_trait]
impl ReadRoles for Faulty {
    async fn role(&self, project: &ProjectId, id: &RoleId) -> Result<Option<Role>, StoreError> {
        self.gate.read()?;
        self.real.role(project, id).await
    }

    async fn roles_named(&self, project: &ProjectId, ids: &[RoleId]) -> Result<Vec<Role>, StoreError> {
        self.gate.read()?;
        self.gate.pass_roles(self.real.roles_named(project, ids)).await
    }

    async fn roles(
        &self,
        project: &ProjectId,
        filter: &Filter<RoleTest>,
        page: Page<RoleOrder>,
    ) -> Result<Vec<Role>, StoreError> {
        self.real.roles(project, filter, page).await
    }
}

#[async_trait]
impl Feed for Faulty {
    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<FeedEntry>, StoreError> {
        self.follows.send_modify(|follows| *follows += 1);
        self.before().await?;
        let lag = *self.lag.lock().unwrap();
        if !lag.is_zero() {
            sleep(lag).await;
        }
        if self.answers.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(StoreError::Unavailable("it has answered often enough".into()));
        }
        let changes = self.real.changes_after(revision, most).await;
        self.changes_read.send_modify(|read| *read += 1);
        self.holds_changes.subscribe().wait_for(|holds| !holds).await.unwrap();
        changes
    }

    async fn head_for_verifications(&self) -> Result<Head, StoreError> {
        self.heads.fetch_add(1, SeqCst);
        self.before().await?;
        self.gate.read()?;
        self.real.head_for_verifications().await
    }
}

#[async_trait]
impl ReadLog for Faulty {
    async fn events(
        &self,
        of: &Projects,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError> {
        self.real.events(of, filter, page).await
    }

    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError> {
        self.real.events_from(start, most).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.before().await?;
        self.gate.read()?;
        self.real.head().await
    }
}

#[async_trait]
impl ReadProjects for Faulty {
    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        self.gate.read()?;
        self.real.project(id).await
    }

    async fn projects(&self, among: &Projects, page: Page<()>) -> Result<Vec<Project>, StoreError> {
        self.real.projects(among, page).await
    }
}

#[async_trait]
impl ReadServiceAccounts for Faulty {
    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        self.gate.read()?;
        self.real.service_account(project, id).await
    }

    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        self.real.service_accounts(project, filter, page).await
    }

    async fn account_labels(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, AccountLabel>, StoreError> {
        self.gate.read()?;
        self.real.account_labels(project, ids).await
    }
}

#[async_trait]
impl ReadKeys for Faulty {
    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError> {
        self.gate.read()?;
        self.real.key(project, id).await
    }

    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError> {
        self.real.key_in_any_project(id).await
    }

    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError> {
        self.real.keys(query, page).await
    }

    async fn keys_of_account(&self, account: &ServiceAccount, most: u64) -> Result<Vec<Key>, StoreError> {
        self.real.keys_of_account(account, most).await
    }

    async fn keys_from_before_roles(
        &self,
        project: &ProjectId,
        page: Page<()>,
    ) -> Result<Vec<KeyAt>, StoreError> {
        self.real.keys_from_before_roles(project, page).await
    }

    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
        self.real.count_keys(query).await
    }
}

#[async_trait]
impl Cleanup for Faulty {
    async fn keys_to_remove(
        &self,
        which: Removable<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<KeyAt>, StoreError> {
        self.real.keys_to_remove(which, after, most).await
    }

    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError> {
        self.real.implicit_owners(keys).await
    }

    async fn removals(&self, after: Option<&RemovalCursor>, most: u64) -> Result<Vec<RemovalAt>, StoreError> {
        self.real.removals(after, most).await
    }

    async fn finish(&self, removal: &Removal) -> Result<(), StoreError> {
        self.real.finish(removal).await
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.real.forget_requests(before).await
    }
}

#[async_trait]
impl Commits for Faulty {
    /// Changes succeed in every mode, as if another node made them.
    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError> {
        self.gate.pass(self.real.commit(commit)).await
    }

    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError> {
        self.real.remembered(id).await
    }
}

#[async_trait]
impl PepperRecords for Faulty {
    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError> {
        self.real.pepper_usage().await
    }

    async fn known_peppers(&self) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError> {
        self.real.known_peppers().await
    }

    async fn make_pepper_known(
        &self,
        version: PepperVersion,
        check: &PepperCheck,
    ) -> Result<PepperCheck, StoreError> {
        self.real.make_pepper_known(version, check).await
    }
}

#[async_trait]
impl Upgrades for Faulty {
    async fn is_upgraded(&self, name: &str) -> Result<bool, StoreError> {
        self.real.is_upgraded(name).await
    }

    async fn record_upgrade(&self, name: &str) -> Result<(), StoreError> {
        self.real.record_upgrade(name).await
    }

    async fn projects_without_role(&self, role: &RoleId, most: u64) -> Result<Vec<ProjectId>, StoreError> {
        self.real.projects_without_role(role, most).await
    }
}

#[async_trait]
impl Recording for Faulty {
    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.before().await?;
        if self.every_other_fails.load(SeqCst) && self.attempts.fetch_add(1, SeqCst).is_multiple_of(2) {
            return Err(StoreError::Unavailable("it is made to fail now and then".into()));
        }
        let pretends = *self.pretends.lock().unwrap();
        match pretends {
            Some(time) => sleep(time).await,
            None => self.real.record_uses(uses).await?,
        }
        self.portions.send_modify(|portions| portions.push(uses.to_vec()));
        Ok(())
    }

    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError> {
        self.real.rehash(rehashes).await
    }
}
