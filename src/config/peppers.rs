//! Where the peppers come from.

use std::path::{Path, PathBuf};

use super::database::Database;
use super::pepper::{Pepper, parse_peppers};
use super::settings::Settings;
use super::{pepper_file, private_file};

/// The peppers, or the file for a generated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PepperSource {
    /// `KEYSTILE_PEPPERS`, or the text of the file that `KEYSTILE_PEPPERS_FILE` names: newest first, never empty.
    Given(Vec<Pepper>),
    /// Neither is set and the database is embedded.
    Generated {
        /// The file for [`load_or_generate`](super::load_or_generate).
        file: PathBuf,
    },
}

const VALUE: &str = "KEYSTILE_PEPPERS";
const FILE: &str = "KEYSTILE_PEPPERS_FILE";

impl PepperSource {
    pub(super) fn read(settings: &mut Settings, data_dir: &Path, database: &Database) -> Self {
        let file = data_dir.join("peppers");
        let (value, named) = (settings.get(VALUE), settings.get(FILE));
        if value.is_some() && named.is_some() {
            settings.fault(FILE, "is set in addition to KEYSTILE_PEPPERS: keep one of them");
        }
        if value.is_none() && named.is_none() && matches!(database, Database::Server { .. }) {
            settings.fault(VALUE, MISSING);
        }
        if value.is_some()
            && let Some(Err(error)) = settings.file(VALUE).map(private_file::check)
        {
            settings.fault(VALUE, error.to_string());
        }
        let unset = Self::Generated { file };
        let unset = settings.value(FILE, unset, |path| {
            pepper_file::load(Path::new(path)).map(Self::Given).map_err(|error| error.to_string())
        });
        settings.value(VALUE, unset, |text| {
            parse_peppers(text).map(Self::Given).map_err(|error| error.to_string())
        })
    }
}

const MISSING: &str = "is needed with a database server, the same on every replica: generate one with \
                       `echo \"1:$(openssl rand -base64 32)\"`, and keep it as safe as the database";
