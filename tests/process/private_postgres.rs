//! A private PostgreSQL server, which a test can stop and start.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keystile::store::Location;
use tempfile::TempDir;

/// Stopped when dropped.
#[derive(Debug)]
pub(crate) struct PrivatePostgres {
    directory: TempDir,
    programs: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    pub(crate) fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let it = Self { directory, programs: programs(), port };
        if is_root() {
            // The server refuses to run as root.
            it.run_as_root("chown", &["postgres", it.directory.path().to_str().unwrap()]);
        }
        let data = it.data();
        it.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        it.start_again();
        it
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    pub(crate) fn location(&self) -> Location {
        Location::Server(self.url())
    }

    pub(crate) fn start_again(&self) {
        let log = self.directory.path().join("log");
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
             -c max_connections=60",
            self.port
        );
        let (data, log) = (self.data(), log.to_str().unwrap());
        self.run("pg_ctl", &["start", "-w", "-t", "60", "-D", &data, "-l", log, "-o", &options]);
    }

    /// Stops at once, as if its machine failed.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["stop", "-w", "-t", "60", "-m", "immediate", "-D", &self.data()]);
    }

    fn data(&self) -> String {
        self.directory.path().join("data").to_str().unwrap().to_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        check(self.command(program).args(arguments).output().unwrap(), program);
    }

    fn run_as_root(&self, program: &str, arguments: &[&str]) {
        check(Command::new(program).args(arguments).output().unwrap(), program);
    }

    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command;
        if is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
        } else {
            command = Command::new(path);
        }
        command.current_dir(self.directory.path()).env("LC_ALL", "C");
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // An error means that it has stopped already.
        let stop = ["stop", "-w", "-m", "immediate", "-D", &self.data()];
        let _ = self.command("pg_ctl").args(stop).output();
    }
}

#[track_caller]
fn check(output: Output, what: &str) {
    assert!(output.status.success(), "{what} failed: {output:?}");
}

/// Debian keeps the server's programs out of PATH.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let found = found.into_iter().find(|directory| directory.join("initdb").exists());
    found.expect("initdb, of PostgreSQL's server, is missing: ./test.sh installs it")
}

fn is_root() -> bool {
    fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0
}
