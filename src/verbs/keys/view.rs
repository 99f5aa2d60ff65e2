//! What answers show of a key.

use domain::{
    Revision,
    key::{Key, State, is_past},
    name::KeyName,
    time::Timestamp,
    token::ApiKey,
};

use crate::{
    ports::StoreError,
    verbs::{
        Caller, Creator, Service,
        managed::{Managed, View},
    },
};

#[derive(Debug, Clone)]
pub struct KeyView {
    pub key: Key,
    pub state: State,
    pub creator: Option<Creator>,
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

impl Managed for Key {
    type View = KeyView;

    async fn find(service: &Service, name: &KeyName) -> Result<Option<Self>, StoreError> {
        let key = service.store.key(&name.project, name.key).await?;
        Ok(service.unless_purged(key))
    }

    async fn views(
        service: &Service,
        caller: &Caller,
        keys: Vec<Self>,
        now: Timestamp,
    ) -> Result<Vec<KeyView>, StoreError> {
        let creators =
            service.creators(caller, keys.iter().filter_map(|key| key.created_by.as_ref())).await?;
        let view = |mut key: Self| {
            // A secret whose grace is over stays stored until the next change of its key.
            key.secrets.retain(|it| !is_past(it.expire_time, now));
            KeyView {
                state: key.state(now),
                creator: creators.at(key.created_by.as_ref(), key.create_time),
                key,
            }
        };
        Ok(keys.into_iter().map(view).collect())
    }
}

impl View for KeyView {
    fn show_revision(&mut self, revision: Revision) {
        self.key.revision = revision;
    }
}

impl Service {
    /// Whether housekeeping has come by already must make no difference.
    pub(in crate::verbs) fn unless_purged(&self, key: Option<Key>) -> Option<Key> {
        key.filter(|key| !key.is_due_for_purge(self.clock.now()))
    }
}
