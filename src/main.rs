//! The process: arguments, settings, logging, the command, an exit code.

use std::{
    io::{IsTerminal, stderr},
    process::ExitCode,
};

use keystile::{
    cli::{Arguments, Failure},
    config::{Config, Environment},
    telemetry,
};
use mimalloc::MiMalloc;

/// Verifications allocate little and often, on every thread: a tenth more of them by the second.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run() -> Result<(), Failure> {
    let arguments = Arguments::of_process();
    let config = Config::load(&Environment::from_process())?;
    telemetry::init(&config.log.filter, config.log.format.is_json(stderr().is_terminal()));
    arguments.run(&config)
}
