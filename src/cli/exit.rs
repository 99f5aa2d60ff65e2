//! Exit codes that a supervisor understands.

use std::{io, process::ExitCode};

use crate::{
    app::{BindError, ServeError, StartError, Unhealthy},
    config::ConfigError,
};

/// Why the process ends with an exit code other than 0: a message for stderr.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
}

/// 2, for arguments that cannot be understood, is clap's. From 69 on they are those of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Failed = 1,
    DatabaseUnavailable = 69,
    Internal = 70,
    Misconfigured = 78,
}

impl Failure {
    /// Prints the message to stderr.
    pub fn report(&self) -> ExitCode {
        eprintln!("keystile: {}", self.message);
        ExitCode::from(self.code as u8)
    }

    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::with(Code::Failed, message)
    }

    fn with(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::with(Code::Misconfigured, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = if error.is_unavailable() {
            Code::DatabaseUnavailable
        } else if error.is_misconfigured() {
            Code::Misconfigured
        } else {
            Code::Internal
        };
        Self::with(code, error.to_string())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Unhealthy> for Failure {
    fn from(error: Unhealthy) -> Self {
        Self::new(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn exit_codes_say_whether_a_restart_helps() {
        let no_database = StartError::NoDatabase {
            database: "postgres://db/keys".to_owned(),
            patience: std::time::Duration::from_secs(30),
            refused: None,
        };
        assert_eq!(Failure::from(no_database).code, Code::DatabaseUnavailable);
        let lost = StartError::PepperFileLost { file: PathBuf::from("peppers"), secrets: 3 };
        assert_eq!(Failure::from(lost).code, Code::Misconfigured);
    }
}
