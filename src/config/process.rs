//! How the process ends.

use std::time::Duration;

use super::settings::Settings;
use super::values::duration;

/// The life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessConfig {
    /// `KEYSTILE_DRAIN_DEADLINE`: how long calls under way may take after SIGTERM, from 0 s to 1 hour.
    pub drain_deadline: Duration,
}

impl ProcessConfig {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let parse = |text: &str| duration(text, Duration::ZERO..=Duration::from_secs(3600));
        Self { drain_deadline: settings.value("KEYSTILE_DRAIN_DEADLINE", Duration::from_secs(30), parse) }
    }
}
