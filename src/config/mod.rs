//! The settings, from the environment and `keystile.toml`, as plain values; all faults are reported at once.

mod cache;
mod database;
mod database_url;
mod environment;
mod fault;
mod file;
mod known;
mod kubernetes;
mod listen;
mod log;
mod pepper;
mod pepper_file;
mod peppers;
mod private_file;
mod process;
mod settings;
#[cfg(test)]
mod tests;
mod traces;
mod values;

use std::path::{Path, PathBuf};

pub use cache::CacheConfig;
pub use database::{Database, DatabaseConfig};
pub use database_url::ServerUrl;
pub use environment::Environment;
pub use fault::{ConfigError, Fault, FileKey};
pub use listen::ListenConfig;
pub use log::{LogConfig, LogFormat};
pub use pepper::{EntryFault, Pepper, PepperError, parse_peppers};
pub use pepper_file::{PepperFileError, load_or_generate};
pub use peppers::PepperSource;
pub use private_file::{PrivateFileError, create_private_dir};
pub use process::ProcessConfig;
pub use traces::{Sampling, TracesConfig};

use settings::Settings;

/// Every setting, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `KEYSTILE_DATA_DIR`: the directory of the embedded database and the generated peppers; may not exist yet.
    pub data_dir: PathBuf,
    /// How to reach the database.
    pub database: DatabaseConfig,
    /// The cache in front of it.
    pub cache: CacheConfig,
    /// Where to listen.
    pub listen: ListenConfig,
    /// `KEYSTILE_PEPPERS` or `KEYSTILE_PEPPERS_FILE`: the keys for the digests of secrets.
    pub peppers: PepperSource,
    /// How the process ends.
    pub process: ProcessConfig,
    /// What is logged.
    pub log: LogConfig,
    /// What is traced.
    pub traces: TracesConfig,
}

impl Config {
    /// Reads `environment` and the file that its `KEYSTILE_CONFIG` names, else `./keystile.toml` if there is one.
    /// Relative paths count from the working directory.
    pub fn load(environment: &Environment) -> Result<Self, ConfigError> {
        Self::load_with(environment, Path::new("./keystile.toml"))
    }

    fn load_with(environment: &Environment, default_file: &Path) -> Result<Self, ConfigError> {
        let mut settings = Settings::read(environment, default_file);
        refuse_what_is_not_built(&mut settings);
        let data_dir =
            settings.value("KEYSTILE_DATA_DIR", PathBuf::from("./keystile-data"), |text| Ok(text.into()));
        let database = DatabaseConfig::read(&mut settings, &data_dir);
        let config = Self {
            cache: CacheConfig::read(&mut settings),
            listen: ListenConfig::read(&mut settings),
            peppers: PepperSource::read(&mut settings, &data_dir, &database.location),
            process: ProcessConfig::read(&mut settings),
            log: LogConfig::read(&mut settings),
            traces: TracesConfig::read(environment, &mut settings),
            database,
            data_dir,
        };
        settings.finish(config)
    }
}

fn refuse_what_is_not_built(settings: &mut Settings) {
    for name in known::NOT_YET {
        if settings.get(name).is_some() {
            settings.fault(name, "is not available yet: remove it");
        }
    }
}
