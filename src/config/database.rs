//! Where the database is, and how many connections it gets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::database_url::{ServerUrl, sqlite_file};
use super::settings::Settings;
use super::values::{duration, integer};

/// How to reach the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// `KEYSTILE_DATABASE_URL`: `sqlite://`, `postgres://` or `mysql://`; SQLite in the data directory when unset.
    pub location: Database,
    /// `KEYSTILE_DATABASE_MAX_CONNECTIONS`: connections, from 4 to 1000.
    pub max_connections: u32,
    /// `KEYSTILE_DATABASE_TIMEOUT`: how long to wait for a free connection, from 1 ms to 10 minutes.
    pub timeout: Duration,
}

/// The two kinds of database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file that only this process uses.
    Embedded {
        /// The file; its directory may not exist yet.
        file: PathBuf,
    },
    /// A database server.
    Server {
        /// Its address with credentials.
        url: ServerUrl,
    },
}

impl DatabaseConfig {
    pub(super) fn read(settings: &mut Settings, data_dir: &Path) -> Self {
        let embedded = Database::Embedded { file: data_dir.join("keystile.db") };
        Self {
            location: settings.value("KEYSTILE_DATABASE_URL", embedded, parse),
            max_connections: settings
                .value("KEYSTILE_DATABASE_MAX_CONNECTIONS", 16, |text| integer(text, 4..=1000)),
            timeout: settings.value("KEYSTILE_DATABASE_TIMEOUT", Duration::from_secs(5), |text| {
                duration(text, Duration::from_millis(1)..=Duration::from_secs(600))
            }),
        }
    }
}

fn parse(text: &str) -> Result<Database, String> {
    match sqlite_file(text) {
        Some(file) => Ok(Database::Embedded { file: file? }),
        None => Ok(Database::Server { url: ServerUrl::parse(text)? }),
    }
}
