//! The store in SQL: one implementation for SQLite, PostgreSQL and MySQL or MariaDB.

mod changes;
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
mod removals;
mod requests;
mod rows;
mod session;
mod traces;
mod uses;
mod wakeups;

use std::{collections::HashMap, fmt};

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use tokio::sync::Mutex;

use crate::{
    domain::{
        Revision,
        audit::{Event, Head},
        digest::PepperVersion,
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
    },
    ports::{
        Store, StoreError,
        recorder::{Rehash, Use},
        store::{
            Called, Commit, CommitError, KeyCounts, KeyQuery, Loaded, Placed, Remembered, RequestDigest,
            Step, ToGo,
        },
    },
};

pub use migrate::MigrateError;
pub use open::{Location, Options};

pub struct SqlStore {
    db: DatabaseConnection,
    /// Whose turn it is to write, where the database takes one writer at a time (SQLite): waiting here
    /// is fair and cheap, waiting there is neither.
    turn: Option<Mutex<()>>,
    loads: load::Queries,
    options: Options,
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await.map_err(error::failed)
    }

    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError> {
        self.loads.run(&self.db, ids).await
    }

    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError> {
        keys::lately_used(&self.db, most).await
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        owners::project(&self.db, id).await
    }

    async fn projects(&self, page: Page<()>) -> Result<Vec<Project>, StoreError> {
        owners::projects(&self.db, &page).await
    }

    async fn service_account(
        &self,
        project: &ProjectId,
        id: &ServiceAccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        owners::service_account(&self.db, project, id).await
    }

    async fn service_accounts(
        &self,
        project: &ProjectId,
        filter: &Filter<AccountTest>,
        page: Page<AccountOrder>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        owners::service_accounts(&self.db, project, filter, &page).await
    }

    async fn display_names(
        &self,
        project: &ProjectId,
        ids: &[ServiceAccountId],
    ) -> Result<HashMap<ServiceAccountId, Called>, StoreError> {
        owners::display_names(&self.db, project, ids).await
    }

    async fn key(&self, project: &ProjectId, id: KeyId) -> Result<Option<Key>, StoreError> {
        keys::one(&self.db, Some(project), id).await
    }

    async fn key_in_any_project(&self, id: KeyId) -> Result<Option<Key>, StoreError> {
        keys::one(&self.db, None, id).await
    }

    async fn keys(&self, query: KeyQuery<'_>, page: Page<KeyOrder>) -> Result<Vec<Key>, StoreError> {
        keys::list(&self.db, query, &page).await
    }

    async fn count_keys(&self, query: KeyQuery<'_>) -> Result<KeyCounts, StoreError> {
        keys::count(&self.db, query).await
    }

    async fn keys_to_go(
        &self,
        which: ToGo<'_>,
        after: Option<Cursor>,
        most: u64,
    ) -> Result<Vec<Placed>, StoreError> {
        let page = Page { size: most, order: Order { by: (), descending: false }, after };
        keys::to_go(&self.db, which, &page).await
    }

    async fn implicit_owners(&self, keys: &[Key]) -> Result<Vec<ServiceAccount>, StoreError> {
        removals::implicit_owners(&self.db, keys).await
    }

    async fn removals(&self, most: u64) -> Result<Vec<Result<Removal, StoreError>>, StoreError> {
        removals::list(&self.db, most).await
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
        events::list(&self.db, scope, filter, &page).await
    }

    async fn events_from(&self, start: Revision, most: u64) -> Result<Vec<Event>, StoreError> {
        events::from(&self.db, start, most).await
    }

    async fn changes_after(&self, revision: Revision, most: u64) -> Result<Vec<Step>, StoreError> {
        events::changes_after(&self.db, revision, most).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        events::head(&self.db).await
    }

    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError> {
        requests::find(&self.db, id).await
    }

    async fn forget_requests(&self, before: Timestamp) -> Result<(), StoreError> {
        requests::forget(self, before).await
    }

    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError> {
        traces::pepper_usage(&self.db).await
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError> {
        commit::commit(self, &commit).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        traces::record_uses(self, uses).await
    }

    async fn rehash(&self, rehashes: &[Rehash]) -> Result<(), StoreError> {
        traces::rehash(self, rehashes).await
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("options", &self.options).finish_non_exhaustive()
    }
}
