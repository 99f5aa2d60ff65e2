//! The server's executable: built as for a release, in a separate cargo run.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::Fallible;

/// Builds it if it is not current, and returns its path.
pub(crate) fn build() -> Fallible<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // `cargo run` sets variables that describe the benchmark's package. Build scripts that watch them, as ring's does,
    // would run again, and rebuild half of the dependencies.
    for (name, _) in env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|it| name.to_string_lossy().starts_with(it)) {
            build.env_remove(name);
        }
    }
    let output = build
        .args(["build", "--release", "--locked", "--package", "keystile", "--bin", "keystile"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the server does not build".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    Ok(executable.ok_or("cargo does not say where the executable is")?)
}
