//! Which peppers the stored secrets still need.

use domain::digest::PepperVersion;

use crate::verbs::{Error, Service};

/// Whether the configured peppers are those that the stored secrets were keyed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PepperReview {
    /// The versions that were seen for the first time, and are known from now on.
    pub new: Vec<PepperVersion>,
    /// The versions under which another pepper is known.
    pub different: Vec<PepperVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PepperUsage {
    pub version: PepperVersion,
    pub secrets: u64,
    pub configured: bool,
    /// The one that is configured is not the one that is known under this version.
    pub different: bool,
}

impl Service {
    /// Every pepper that is configured or in use, the newest configured one first.
    pub async fn pepper_usage(&self) -> Result<Vec<PepperUsage>, Error> {
        let mut used = self.store.pepper_usage().await?;
        let known = self.store.known_peppers().await?;
        let mut usage = Vec::new();
        for (version, check) in self.peppers.checks() {
            let at = used.iter().position(|(it, _)| *it == version);
            let secrets = at.map_or(0, |at| used.remove(at).1);
            let different = known.iter().any(|(it, known)| *it == version && *known != check);
            usage.push(PepperUsage { version, secrets, configured: true, different });
        }
        let missing = used.into_iter().map(|(version, secrets)| PepperUsage {
            version,
            secrets,
            configured: false,
            different: false,
        });
        usage.extend(missing);
        Ok(usage)
    }

    /// Compares each configured pepper with the recorded fingerprint of its version. A pepper without one is recorded
    /// for all replicas; if any pepper is wrong, none is recorded.
    pub async fn review_peppers(&self) -> Result<PepperReview, Error> {
        let known = self.store.known_peppers().await?;
        let known = |version| known.iter().find(|(it, _)| *it == version).map(|(_, check)| *check);
        let mut review = PepperReview::default();
        for (version, check) in self.peppers.checks() {
            if known(version).is_some_and(|known| known != check) {
                review.different.push(version);
            }
        }
        if !review.different.is_empty() {
            return Ok(review);
        }
        for (version, check) in self.peppers.checks().filter(|(version, _)| known(*version).is_none()) {
            // Another replica may be first, with another pepper.
            if self.store.make_pepper_known(version, &check).await? == check {
                review.new.push(version);
            } else {
                review.different.push(version);
            }
        }
        Ok(review)
    }
}
