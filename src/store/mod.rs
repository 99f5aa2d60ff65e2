//! The store in SQL: one implementation for SQLite, PostgreSQL and MySQL or MariaDB.

mod cancel;
mod changes;
mod claim;
mod commit;
mod error;
mod events;
mod expect;
mod filter;
mod keys;
mod load;
mod migrate;
mod open;
mod owners;
mod paging;
mod peppers;
mod pools;
mod queue;
mod reads;
mod recording;
mod removals;
mod requests;
mod rows;
mod session;
mod shares;
mod transaction;
mod turns;
mod use_statements;
mod wakeups;
mod words;

use std::{collections::HashMap, fmt};

use async_trait::async_trait;
use sea_orm::DatabaseConnection;

use crate::ports::{
    Store, StoreError,
    recorder::{LastUse, Rehash},
    store::{
        Called, Commit, CommitError, KeyCounts, KeyQuery, Loaded, Placed, PlacedRemoval, Remembered,
        RemovalPlace, RequestDigest, Step, ToGo,
    },
};

pub use claim::{Claim, ClaimError};
use domain::{
    Revision,
    audit::{Event, Head},
    digest::{PepperCheck, PepperVersion},
    filter::Filter,
    id::{KeyId, ProjectId, ServiceAccountId},
    key::Key,
    listing::{AccountOrder, AccountTest, EventTest, KeyOrder},
    name::Scope,
    page::{Cursor, Order, Page},
    project::Project,
    removal::Removal,
    service_account::ServiceAccount,
    time::Timestamp,
};
pub use migrate::MigrateError;
pub use open::{Location, Options};
use reads::Reads;
pub use shares::Shares;
use turns::Turns;

pub struct SqlStore {
    /// What verifications need, the follower and readiness: nothing else may use these connections.
    verify: Reads,
    admin: Reads,
    /// For transactions that write, and for what a start needs to know.
    db: DatabaseConnection,
    turns: Turns,
    loads: load::Queries,
    observer: Option<transaction::Observer>,
    options: Options,
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(async { read.ping().await.map_err(error::failed) }).await;
        read.done(answer)
    }

    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(self.loads.run(&read, ids)).await;
        read.done(answer)
    }

    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(keys::lately_used(&read, most)).await;
        read.done(answer)
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(owners::project(&read, id)).await;
        read.done(answer)
    }

    async fn projects(&self, page: Page<()>) -> Result<Vec<Project>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(owners::projects(&read, &page)).await;
        read.done(answer)
    }

    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(owners::service_account(&read, project, id)).await;
        read.done(answer)
    }

    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(owners::service_accounts(&read, project, filter, &page)).await;
        read.done(answer)
    }

    async fn display_names(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, Called>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(owners::display_names(&read, project, ids)).await;
        read.done(answer)
    }

    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(keys::one(&read, Some(project), id)).await;
        read.done(answer)
    }

    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(keys::one(&read, None, id)).await;
        read.done(answer)
    }

    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(keys::list(&read, query, &page)).await;
        read.done(answer)
    }

    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(keys::count(&read, query)).await;
        read.done(answer)
    }

    async fn keys_to_go(
        &self,
        which: ToGo<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<Placed>, StoreError> {
        let page = Page { size: most, order: Order { by: (), descending: false }, after };
        let read = self.admin.begin().await?;
        let answer = read.within(keys::to_go(&read, which, &page)).await;
        read.done(answer)
    }

    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(removals::implicit_owners(&read, keys)).await;
        read.done(answer)
    }

    async fn removals(
        &self,
        after: Option<&RemovalPlace>,
        most: u64,
    ) -> Result<Vec<PlacedRemoval>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(removals::list(&read, after, most)).await;
        read.done(answer)
    }

    async fn finish(&self, removal: &Removal) -> Result<(), StoreError> {
        removals::finish(self, removal).await
    }

    async fn events(
        &self,
        scope: &Scope,
        filter: &Filter<EventTest>,
        page: Page<()>,
    ) -> Result<Vec<Event>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(events::list(&read, scope, filter, &page)).await;
        read.done(answer)
    }

    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError> {
        let read = self.admin.begin_long().await?;
        let answer = read.within(events::from(&read, start, most)).await;
        read.done(answer)
    }

    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<Step>, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(events::changes_after(&read, revision, most)).await;
        read.done(answer)
    }

    async fn head(&self) -> Result<Head, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(events::head(&read)).await;
        read.done(answer)
    }

    async fn head_for_verifications(&self) -> Result<Head, StoreError> {
        let read = self.verify.begin().await?;
        let answer = read.within(events::head(&read)).await;
        read.done(answer)
    }

    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(requests::find(&read, id)).await;
        read.done(answer)
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<bool, StoreError> {
        requests::forget(self, before).await
    }

    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError> {
        recording::pepper_usage(&self.db).await
    }

    async fn known_peppers(&self) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError> {
        peppers::known(&self.db).await
    }

    async fn make_pepper_known(
        &self,
        version: PepperVersion,
        check: &PepperCheck,
    ) -> Result<PepperCheck, StoreError> {
        peppers::make_known(self, version, check).await
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError> {
        commit::commit(self, &commit).await
    }

    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        recording::record_uses(self, uses).await
    }

    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError> {
        recording::rehash(self, rehashes).await
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("options", &self.options).finish_non_exhaustive()
    }
}
