//! What a verification reads.

use std::{fmt::Debug, sync::Arc, time::Duration};

use domain::{
    Revision, access::Access, credential::Credential, freshness::Stamp, id::KeyId, key::Key,
    shared_access::CurrentAccess,
};

use super::StoreError;

/// Keys as they are now, from wherever that is known soonest.
pub trait Credentials: Debug + Send + Sync + 'static {
    /// What is cached of the key, if that is current and not too old at this uptime.
    fn cached(&self, id: KeyId, uptime: Duration) -> Option<Snapshot>;

    /// What is known of the key; the database is asked if that is not cached.
    fn read(&self, id: KeyId) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Whether nothing is known to have changed that a snapshot with this stamp depends on, however long ago the change
    /// log was followed.
    fn is_unchanged(&self, stamp: &Stamp) -> bool;

    /// Whether a snapshot with this stamp is still current: it is unchanged, and the change log was followed lately
    /// enough.
    fn is_current(&self, stamp: &Stamp, uptime: Duration) -> bool;

    /// Waits until no answer is older than `revision`, but no longer than `patience`, nor longer than it takes
    /// to find out that there is no such revision yet; the error is the revision reached by then.
    fn reach(
        &self,
        revision: Revision,
        patience: Duration,
    ) -> impl Future<Output = Result<(), Revision>> + Send;
}

/// What is known of an id at one revision.
#[derive(Debug)]
pub struct Snapshot {
    /// `None` when no key has the id.
    pub key: Option<Arc<CachedKey>>,
    /// What the key may do.
    pub access: CurrentAccess,
    /// All changes up to this one are in it.
    pub revision: Revision,
    /// How long ago it was known to be the newest state.
    pub age: Duration,
    /// The change log could not be followed of late.
    pub degraded: bool,
    /// Of the key; what it may do has a stamp of its own.
    pub stamp: Stamp,
}

/// A key in memory. As small as possible: its size decides how many keys fit into the cache.
#[derive(Debug)]
pub struct CachedKey {
    pub credential: Credential,
    pub encoded: EncodedKey,
}

/// What every answer about a key says, encoded by a [`KeyEncoder`]: first how many bytes every view shows, then those bytes,
/// then what only the full view shows. In one block, because there is one for each key.
#[derive(Debug, Default)]
pub struct EncodedKey(Box<[u8]>);

/// Encodes what answers say, once for as long as it is cached.
pub trait KeyEncoder: Debug + Send + Sync + 'static {
    fn encode(&self, key: &Key) -> EncodedKey;

    /// What every answer in the full view says of what a key may do.
    fn encode_access(&self, access: &Access) -> Box<[u8]>;
}

impl EncodedKey {
    const LENGTH: usize = size_of::<u32>();

    pub fn new(basic: &[u8], rest: &[u8]) -> Self {
        let length = u32::try_from(basic.len()).expect("a key is small");
        Self([&length.to_ne_bytes(), basic, rest].concat().into())
    }

    pub fn full(&self) -> &[u8] {
        self.0.get(Self::LENGTH..).unwrap_or_default()
    }

    pub fn basic(&self) -> &[u8] {
        let length = self.0.first_chunk().map_or(0, |length| u32::from_ne_bytes(*length));
        &self.full()[..length as usize]
    }
}

impl CachedKey {
    /// The bytes that it takes in memory, without what it shares with other keys.
    pub fn size(&self) -> usize {
        size_of::<Self>() - size_of::<Credential>() + self.credential.size() + self.encoded.0.len()
    }
}

#[cfg(test)]
mod tests {
    use domain::key::sample::key;

    use super::*;

    fn cached(bytes: usize) -> CachedKey {
        let credential = Credential::new(&key(None, false), false).unwrap();
        let encoded = EncodedKey(vec![0; bytes].into());
        CachedKey { credential, encoded }
    }

    /// With the two counters of an [`Arc`] it is one block of 128 bytes, which is a size class of allocators.
    #[test]
    fn a_cached_key_is_small() {
        assert!(size_of::<CachedKey>() <= 112, "{} bytes", size_of::<CachedKey>());
    }

    #[test]
    fn the_basic_view_is_the_first_part() {
        let encoded = EncodedKey::new(b"key", b"tags");
        assert_eq!((encoded.basic(), encoded.full()), (&b"key"[..], &b"keytags"[..]));
        assert_eq!((EncodedKey::default().basic(), EncodedKey::default().full()), (&[][..], &[][..]));
    }

    #[test]
    fn the_size_grows_with_the_encoded_part() {
        assert_eq!(cached(0).size(), size_of::<CachedKey>());
        assert_eq!(cached(1000).size(), cached(0).size() + 1000);
    }
}
