//! Why Keystile did not start, or stopped serving.

use std::{fmt, io, path::PathBuf, time::Duration};

use domain::digest::PepperVersion;
use tokio::task::JoinError;

use crate::{
    config::{PepperFileError, PrivateFileError},
    grpc,
    ports::StoreError,
    store::{ClaimError, MigrateError},
    telemetry::TracesError,
    verbs,
};

/// Why Keystile did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("KEYSTILE_DATA_DIR: {0}")]
    DataDirectory(#[source] PrivateFileError),
    #[error(transparent)]
    PepperFile(#[from] PepperFileError),
    /// The generated pepper file is missing, but stored secrets need it.
    #[error(
        "{file} is missing, but stored secrets ({secrets}) need the pepper in it: restore it from a backup, with mode 600; \
         without it no API key can be verified", file = .file.display()
    )]
    PepperFileLost { file: PathBuf, secrets: u64 },
    #[error(
        "KEYSTILE_PEPPERS: {} not configured, but stored secrets need {}: add it behind the newest one; \
         `keystile peppers` shows when a pepper can be removed", list(.0), if .0.len() == 1 { "it" } else { "them" }
    )]
    PeppersMissing(Vec<Missing>),
    /// With another pepper under the same version, every secret would seem to be wrong.
    #[error(
        "KEYSTILE_PEPPERS: {} not the one that this database was first used with under that version, so no API key under it \
         could be verified: configure that one, the same on every replica, and give a new pepper a new version", differ(.0)
    )]
    PeppersDiffer(Vec<PepperVersion>),
    /// The database did not answer in time.
    #[error(
        "KEYSTILE_DATABASE_URL: {database} did not answer for {} s{}", .patience.as_secs(), because(.refused.as_ref())
    )]
    NoDatabase {
        database: String,
        patience: Duration,
        /// The error of the last attempt; `None` when there was no answer at all.
        refused: Option<StoreError>,
    },
    /// It answered, and refused the connection.
    #[error("KEYSTILE_DATABASE_URL: {database}: {source}")]
    DatabaseRefused { database: String, source: StoreError },
    /// Another server uses it.
    #[error("KEYSTILE_DATABASE_URL: {0}")]
    DatabaseInUse(#[source] ClaimError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Service(#[from] verbs::Error),
}

impl StartError {
    /// The database does not answer: a later start may succeed.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NoDatabase { .. } => true,
            Self::Store(error)
            | Self::Migrate(MigrateError::Store(error))
            | Self::Service(verbs::Error::Store(error)) => {
                matches!(
                    error,
                    StoreError::Unavailable(_) | StoreError::Overloaded(_) | StoreError::TooSlow(_)
                )
            }
            _ => false,
        }
    }

    /// A later start fails in the same way until the configuration is changed.
    pub fn is_misconfigured(&self) -> bool {
        match self {
            Self::DataDirectory(_)
            | Self::PepperFile(_)
            | Self::PepperFileLost { .. }
            | Self::PeppersMissing(_)
            | Self::PeppersDiffer(_)
            | Self::DatabaseRefused { .. }
            | Self::DatabaseInUse(_) => true,
            Self::Migrate(error) => matches!(error, MigrateError::Newer { .. }),
            _ => false,
        }
    }
}

/// A pepper that is not configured, and how many stored secrets need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub version: PepperVersion,
    pub secrets: u64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.secrets == 1 { "" } else { "s" };
        write!(f, "version {} ({} secret{plural})", self.version, self.secrets)
    }
}

/// Why it stopped serving although nothing asked it to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the {listener} listener failed: {source}")]
    Listener { listener: &'static str, source: grpc::ServeError },
    #[error("the {listener} listener ended by itself")]
    Ended { listener: &'static str },
    #[error("a listener failed: {0}")]
    Broken(#[source] JoinError),
    #[error("a listener has no address: {0}")]
    Address(#[from] io::Error),
    #[error(transparent)]
    Traces(#[from] TracesError),
}

fn list(missing: &[Missing]) -> String {
    let each: Vec<_> = missing.iter().map(Missing::to_string).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", each.join(", "))
}

fn differ(versions: &[PepperVersion]) -> String {
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    match &versions[..] {
        [version] => format!("the pepper of version {version} is"),
        versions => format!("the peppers of versions {} are each", versions.join(", ")),
    }
}

fn because(refused: Option<&StoreError>) -> String {
    refused.map(|error| format!(" ({error})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_peppers_are_named_with_the_number_of_secrets() {
        let missing = |version, secrets| Missing { version, secrets };
        assert_eq!(
            StartError::PeppersMissing(vec![missing(1, 12)]).to_string(),
            "KEYSTILE_PEPPERS: version 1 (12 secrets) is not configured, but stored secrets need it: add it behind the \
             newest one; `keystile peppers` shows when a pepper can be removed"
        );
        let two = StartError::PeppersMissing(vec![missing(1, 12), missing(3, 1)]).to_string();
        assert!(
            two.contains("version 1 (12 secrets), version 3 (1 secret) are not configured, but stored secrets need them"),
            "{two}"
        );
    }

    #[test]
    fn a_silent_database_and_a_refusing_one_have_different_errors() {
        let error = |refused| StartError::NoDatabase {
            database: "postgres://ann:***@db/keys".to_owned(),
            patience: Duration::from_secs(30),
            refused,
        };
        assert_eq!(
            error(None).to_string(),
            "KEYSTILE_DATABASE_URL: postgres://ann:***@db/keys did not answer for 30 s"
        );
        let refused = StoreError::Unavailable("connection refused".to_owned());
        assert_eq!(
            error(Some(refused)).to_string(),
            "KEYSTILE_DATABASE_URL: postgres://ann:***@db/keys did not answer for 30 s (the database does not answer: \
             connection refused)"
        );
    }
}
