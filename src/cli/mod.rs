//! The command line: arguments, what each command prints, and exit codes.

mod exit;
mod first_start;
mod healthcheck;
mod migrate;
mod peppers;
mod root_key;
mod serve;
mod signals;

use std::io::{self, Write, stdout};

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::config::Config;

pub use exit::Failure;

/// A gRPC service that issues, verifies, rotates, revokes and audits API keys.
///
/// Settings come from KEYSTILE_* variables and ./keystile.toml.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; the same as no command
    Serve,
    /// Migrate the database's schema, and exit
    Migrate,
    /// Issue a new root API key and print nothing else
    RootKey,
    /// Check whether the server with these settings is ready
    Healthcheck,
    /// Show how many stored secrets need each pepper
    Peppers,
}

impl Arguments {
    /// The arguments of this process; invalid ones end it with exit code 2.
    pub fn of_process() -> Self {
        Self::parse()
    }

    /// Runs the command.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.command.unwrap_or(Command::Serve) {
                Command::Serve => serve::run(config).await,
                Command::Migrate => migrate::run(config).await,
                Command::RootKey => root_key::run(config).await,
                Command::Healthcheck => healthcheck::run(config).await,
                Command::Peppers => peppers::run(config).await,
            }
        })
    }
}

/// Writes all of `text` to stdout; a closed pipe is an error, not a panic.
fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn command(arguments: &[&str]) -> Option<Command> {
        let all = ["keystile"].iter().chain(arguments);
        Arguments::try_parse_from(all).expect("arguments").command
    }

    #[test]
    fn commands_have_their_names() {
        Arguments::command().debug_assert();
        assert_eq!(command(&[]), None);
        assert_eq!(command(&["serve"]), Some(Command::Serve));
        assert_eq!(command(&["migrate"]), Some(Command::Migrate));
        assert_eq!(command(&["root-key"]), Some(Command::RootKey));
        assert_eq!(command(&["healthcheck"]), Some(Command::Healthcheck));
        assert_eq!(command(&["peppers"]), Some(Command::Peppers));
    }

    #[test]
    fn an_unknown_command_is_a_usage_error() {
        for wrong in [&["sevre"][..], &["serve", "--port", "1"]] {
            let all = ["keystile"].iter().chain(wrong);
            assert_eq!(Arguments::try_parse_from(all).unwrap_err().exit_code(), 2);
        }
    }
}
