//! What is recorded of peppers, which are never stored themselves.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::digest::{PepperCheck, PepperVersion};

use super::StoreError;

#[async_trait]
pub trait PepperRecords: Debug + Send + Sync + 'static {
    /// How many secrets each pepper has keyed.
    async fn pepper_usage(&self) -> Result<Vec<(PepperVersion, u64)>, StoreError>;

    /// The check value of each pepper that was ever used.
    async fn known_peppers(&self) -> Result<Vec<(PepperVersion, PepperCheck)>, StoreError>;

    /// Records the check value of the pepper of this version, unless there is one already, and answers with the recorded one.
    async fn make_pepper_known(
        &self,
        version: PepperVersion,
        check: &PepperCheck,
    ) -> Result<PepperCheck, StoreError>;
}
