//! What verbs answer with: resources as they are now, with the names of those who made them.

use std::collections::HashMap;

use domain::{
    audit::Event,
    id::{ProjectId, ServiceAccountId},
    key::{Key, State, is_past},
    page::Cursor,
    service_account::ServiceAccount,
    text::DisplayName,
    time::Timestamp,
    token::ApiKey,
};

use crate::ports::{StoreError, store::Called};

use super::Service;

#[derive(Debug, Clone)]
pub struct KeyView {
    pub key: Key,
    pub state: State,
    pub creator: Option<Creator>,
}

#[derive(Debug, Clone)]
pub struct AccountView {
    pub account: ServiceAccount,
    pub creator: Option<Creator>,
}

#[derive(Debug, Clone)]
pub struct EventView {
    pub event: Event,
    pub actor: Option<Creator>,
}

/// A service account of the system project that did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    pub service_account: ServiceAccountId,
    /// `None` once the account is gone.
    pub display_name: Option<DisplayName>,
}

/// A key with the API key that was made for it.
#[derive(Debug)]
pub struct Issued {
    pub key: KeyView,
    /// Absent when nothing was issued: on a repeat, or when the request was only to be validated.
    pub api_key: Option<ApiKey>,
    /// The request was seen before, and its API key given then.
    pub repeated: bool,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Where each of them is: a page that ends with it goes on behind.
    pub places: Vec<Cursor>,
    /// Whether there are others behind the last.
    pub more: bool,
}

impl<T> Listing<T> {
    /// Makes a page of `size` out of the one row more that was asked for to see whether it is the last.
    pub(super) fn cut(mut items: Vec<T>, size: u64, cursor: impl Fn(&T) -> Cursor) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let places = items.iter().map(cursor).collect();
        Self { items, places, more }
    }

    pub(super) fn with<U>(self, items: Vec<U>) -> Listing<U> {
        Listing { items, places: self.places, more: self.more }
    }
}

impl Service {
    pub(super) async fn view_key(&self, key: Key, now: Timestamp) -> Result<KeyView, StoreError> {
        let mut views = self.view_keys(vec![key], now).await?;
        Ok(views.remove(0))
    }

    pub(super) async fn view_keys(&self, keys: Vec<Key>, now: Timestamp) -> Result<Vec<KeyView>, StoreError> {
        let names = self.names_of(keys.iter().filter_map(|key| key.created_by.as_ref())).await?;
        let view = |mut key: Key| {
            // A secret whose grace is over stays stored until the next change of its key.
            key.secrets.retain(|it| !is_past(it.expire_time, now));
            KeyView {
                state: key.state(now),
                creator: names.creator(key.created_by.as_ref(), key.create_time),
                key,
            }
        };
        Ok(keys.into_iter().map(view).collect())
    }

    pub(super) async fn view_account(&self, account: ServiceAccount) -> Result<AccountView, StoreError> {
        let mut views = self.view_accounts(vec![account]).await?;
        Ok(views.remove(0))
    }

    pub(super) async fn view_accounts(
        &self,
        accounts: Vec<ServiceAccount>,
    ) -> Result<Vec<AccountView>, StoreError> {
        let names = self.names_of(accounts.iter().filter_map(|it| it.created_by.as_ref())).await?;
        let view = |account: ServiceAccount| AccountView {
            creator: names.creator(account.created_by.as_ref(), account.create_time),
            account,
        };
        Ok(accounts.into_iter().map(view).collect())
    }

    pub(super) async fn view_events(&self, events: Vec<Event>) -> Result<Vec<EventView>, StoreError> {
        let actor = |event: &Event| event.actor_account.parse::<ServiceAccountId>().ok();
        let actors: Vec<_> = events.iter().map(actor).collect();
        let names = self.names_of(actors.iter().flatten()).await?;
        let view = |(event, actor): (Event, Option<ServiceAccountId>)| EventView {
            actor: names.creator(actor.as_ref(), event.time),
            event,
        };
        Ok(events.into_iter().zip(actors).map(view).collect())
    }

    async fn names_of<'a>(
        &self,
        accounts: impl Iterator<Item = &'a ServiceAccountId>,
    ) -> Result<Names, StoreError> {
        let mut ids: Vec<_> = accounts.cloned().collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Names::default());
        }
        self.store.display_names(&ProjectId::system(), &ids).await.map(Names)
    }
}

#[derive(Default)]
struct Names(HashMap<ServiceAccountId, Called>);

impl Names {
    /// Who `account` is that did something at `time`: one that came later under the same id is somebody else.
    fn creator(&self, account: Option<&ServiceAccountId>, time: Timestamp) -> Option<Creator> {
        let account = account?;
        let called = self.0.get(account).filter(|called| called.since <= time);
        Some(Creator {
            service_account: account.clone(),
            display_name: called.map(|called| called.display_name.clone()),
        })
    }
}
