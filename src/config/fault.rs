//! What is wrong with the settings, reported all at once.

use std::fmt;
use std::path::PathBuf;

use super::environment::PREFIX;

/// Every fault of the settings, each with the variable's name and what would be right. Never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { faults }
    }

    /// The faults, in the order of their settings.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.len() {
            1 => write!(f, "one setting is wrong:")?,
            count => write!(f, "{count} settings are wrong:")?,
        }
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// One thing that is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the variable.
    pub setting: String,
    /// The place of the value in the file; `None` if it comes from the environment or is unset.
    pub place: Option<FileKey>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A key in a file of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKey {
    /// The file.
    pub path: PathBuf,
    /// The key as it is written there.
    pub key: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of an unknown setting may contain anything, line breaks included.
        write!(f, "{}", self.setting.escape_debug())?;
        if let Some(FileKey { path, key }) = &self.place {
            write!(f, " (`{}` in {})", key.escape_debug(), path.display())?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The key in the file that means the same as the variable.
pub(super) fn file_key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase()
}

/// The variable that means the same as the key in the file.
pub(super) fn variable(file_key: &str) -> String {
    format!("{PREFIX}{}", file_key.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_on_its_own_line() {
        let fault = |setting: &str, key: Option<&str>| Fault {
            setting: setting.to_owned(),
            place: key.map(|key| FileKey { path: PathBuf::from("k.toml"), key: key.to_owned() }),
            message: "is wrong".to_owned(),
        };
        let faults = vec![
            fault("KEYSTILE_LOG", None),
            fault("KEYSTILE_DATA_DIR", Some("data_dir")),
            fault("A\nB", None),
        ];
        assert_eq!(
            ConfigError::new(faults).to_string(),
            "3 settings are wrong:\n  KEYSTILE_LOG: is wrong\n  KEYSTILE_DATA_DIR (`data_dir` in k.toml): is wrong\n  \
             A\\nB: is wrong"
        );
    }

    #[test]
    fn names_translate_both_ways() {
        assert_eq!(file_key("KEYSTILE_VERIFY_LISTEN"), "verify_listen");
        assert_eq!(variable("verify_listen"), "KEYSTILE_VERIFY_LISTEN");
    }
}
