//! Keys as verifications need them.

use std::{collections::HashMap, fmt::Debug};

use async_trait::async_trait;
use domain::{audit::Head, id::KeyId, key::Key};

use super::StoreError;

/// How many keys one load brings at the most.
pub const LOADED_TOGETHER: usize = 64;

#[async_trait]
pub trait LoadKeys: Debug + Send + Sync + 'static {
    /// What verifications need of the keys `ids`, as they are at one instant, in one query; between one
    /// and [`LOADED_TOGETHER`] of them, whether there are such keys or not. A key whose project or account is gone
    /// counts as absent.
    async fn load(&self, ids: &[KeyId]) -> Result<Loaded, StoreError>;

    /// The ids of the keys that were used last, for preloading.
    async fn lately_used(&self, most: u64) -> Result<Vec<KeyId>, StoreError>;
}

/// Keys with what their owners add, and the head of the change log when that was so.
#[derive(Debug)]
pub struct Loaded {
    /// Those that exist. A key that cannot be read does not affect the others.
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
