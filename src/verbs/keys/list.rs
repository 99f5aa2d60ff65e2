//! ListKeys: a project's keys, filtered, ordered, in pages.

use domain::{
    filter::Filter,
    id::ProjectId,
    key::Key,
    page::{Cursor, Id, Page, SortValue},
    query::{KeyOrder, KeyTest},
    time::Timestamp,
};

use crate::{
    ports::keys::KeyQuery,
    verbs::{Caller, Error, KeyView, Listing, Service},
};

#[derive(Debug)]
pub struct ListKeys {
    pub project: ProjectId,
    pub filter: Filter<KeyTest>,
    pub show_deleted: bool,
    pub page: Page<KeyOrder>,
}

impl Service {
    pub async fn list_keys(&self, caller: &Caller, request: ListKeys) -> Result<Listing<KeyView>, Error> {
        let project = self.load_project(caller, &request.project).await?;
        let now = self.clock.now();
        let query = KeyQuery {
            project: &request.project,
            policy: &project.key_policy,
            filter: &request.filter,
            show_deleted: request.show_deleted,
            now,
        };
        let (size, by) = (request.page.size, request.page.order.by);
        let keys = self.store.keys(query, request.page.and_one()).await?;
        self.listing(caller, keys, size, |key| cursor(key, by), now).await
    }
}

/// The position of `key`; a key that was never used comes before all others, one that never ends after.
fn cursor(key: &Key, by: KeyOrder) -> Cursor {
    let never_used = Timestamp::from_micros(0);
    let never_ends = Timestamp::from_micros(i64::MAX);
    let time = |time: Timestamp| SortValue::Number(time.as_micros());
    Cursor {
        value: match by {
            KeyOrder::CreateTime => time(key.create_time),
            KeyOrder::DisplayName => SortValue::Text(key.display_name.to_string()),
            KeyOrder::LastUsedTime => time(key.last_used_time.unwrap_or(never_used)),
            KeyOrder::ExpireTime => time(key.expire_time.unwrap_or(never_ends)),
        },
        id: Id::Uuid(key.id.as_uuid().as_u128()),
    }
}
