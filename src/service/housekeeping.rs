//! What time brings: deleted keys are purged, old request ids forgotten.

use crate::{
    domain::{name::KeyName, time::DAY},
    service::{Call, Error, Service},
};

/// How many keys one round purges at most.
const BATCH: u64 = 100;

impl Service {
    /// Does what is due, and says how many keys it purged; replicas may do this side by side.
    pub async fn keep_house(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        self.store.forget_requests(now.before(DAY)).await?;
        let due = self.store.purgeable_keys(now, BATCH).await?;
        let mut purged = 0;
        for key in due {
            let name = KeyName { project: key.project, key: key.id };
            let etag = crate::domain::etag(key.revision);
            match self.purge_key(&Call::own(), &name, &etag).await {
                Ok(_) => purged += 1,
                // Another replica was first, or somebody brought it back.
                Err(Error::NotFound { .. } | Error::EtagMismatch { .. } | Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(purged)
    }
}
