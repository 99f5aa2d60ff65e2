//! The environment variables of a process, as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// The prefix of Keystile's variables.
pub(super) const PREFIX: &str = "KEYSTILE_";

/// The prefix of OpenTelemetry's standard variables.
pub(super) const STANDARD: &str = "OTEL_";

/// The `KEYSTILE_*` and `OTEL_*` variables of a process. Its `Debug` shows only names, because values may be secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        // A name of ours is ASCII, so one that is not Unicode cannot be ours.
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// Keystile's variables.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let ours = self.0.iter().filter(|(name, _)| name.starts_with(PREFIX));
        ours.map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(variables.filter(|(name, _)| [PREFIX, STANDARD].iter().any(|it| name.starts_with(it))).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_our_variables_and_prints_only_names() {
        let environment = Environment::from_iter([("PATH", "/bin"), ("KEYSTILE_PEPPERS", "hush")]);
        assert_eq!(format!("{environment:?}"), r#"{"KEYSTILE_PEPPERS"}"#);
    }
}
