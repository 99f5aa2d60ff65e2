//! Which peppers the stored secrets still need.

use crate::{
    domain::digest::PepperVersion,
    service::{Error, Service},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PepperUsage {
    pub version: PepperVersion,
    pub secrets: u64,
    pub configured: bool,
}

impl Service {
    /// Every pepper that is configured or in use, the newest configured one first.
    pub async fn pepper_usage(&self) -> Result<Vec<PepperUsage>, Error> {
        let mut used = self.store.pepper_usage().await?;
        let mut usage = Vec::new();
        for version in self.peppers.versions() {
            let at = used.iter().position(|(it, _)| *it == version);
            let secrets = at.map_or(0, |at| used.remove(at).1);
            usage.push(PepperUsage { version, secrets, configured: true });
        }
        let missing =
            used.into_iter().map(|(version, secrets)| PepperUsage { version, secrets, configured: false });
        usage.extend(missing);
        Ok(usage)
    }
}
