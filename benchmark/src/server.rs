//! A server process: its address, and the resources that it uses. It is killed when its handle is dropped.

use std::{
    env,
    error::Error,
    fs,
    fs::File,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use prost::Message;
use proto::VerifyResponse;
use tempfile::TempDir;

use crate::{
    Fallible, clock,
    telemetry::{self, Reader},
    wire::Target,
};

pub(crate) struct Server {
    child: Child,
    /// Ends the server if this process dies without doing so.
    guard: Child,
    pub(crate) verify: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// A credential of the system project.
    pub(crate) api_key: String,
    /// Of Keystile only.
    pub(crate) metrics: Option<Reader>,
    _directory: TempDir,
}

/// The pepper of all servers, with which the benchmark computes the digests of loaded keys.
pub(crate) const PEPPER: &[u8] = b"a pepper that only benchmarks ever use";

/// The measured server.
pub(crate) static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();

/// Further variables of our server, from the command line.
pub(crate) static WITH: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// Keystile with `settings` on top of the defaults; without a database among them, on SQLite in a directory that
    /// lives as long as the server.
    pub(crate) fn ours(settings: &[(&str, String)]) -> Fallible<Self> {
        use base64::Engine;
        let directory = TempDir::new()?;
        let data = directory.path().join("data").display().to_string();
        let pepper = base64::engine::general_purpose::STANDARD.encode(PEPPER);
        let (verify, admin, metrics) = (free_address()?, free_address()?, free_address()?);
        let mut all = vec![
            ("KEYSTILE_DATA_DIR", data),
            ("KEYSTILE_PEPPERS", format!("1:{pepper}")),
            ("KEYSTILE_VERIFY_LISTEN", verify.to_string()),
            ("KEYSTILE_ADMIN_LISTEN", admin.to_string()),
            ("KEYSTILE_METRICS_LISTEN", metrics.to_string()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", telemetry::collector())),
        ];
        all.extend(settings.iter().cloned());
        all.extend(WITH.get().into_iter().flatten().map(|(name, value)| (name.as_str(), value.clone())));
        let api_key = root_key(&directory, &all)?;
        let child = keystile("serve", &directory)?.envs(all).spawn()?;
        let mut ours = Self::ready(child, (verify, admin), api_key, directory)?;
        ours.metrics = Some(Reader::of(metrics));
        Ok(ours)
    }

    /// The bare service, which answers everything with `answer`.
    pub(crate) fn bare(answer: &VerifyResponse) -> Fallible<Self> {
        let directory = TempDir::new()?;
        let file = directory.path().join("answer");
        fs::write(&file, answer.encode_to_vec())?;
        let listen = free_address()?;
        let mut bare = command(&env::current_exe()?, &directory)?;
        let listen_on = listen.to_string();
        let child = bare.args(["--bare", "--listen", &listen_on, "--answer"]).arg(file).spawn()?;
        // A credential as long as ours, for headers of the same size.
        let api_key = "x".repeat(80);
        Self::ready(child, (listen, listen), api_key, directory)
    }

    fn ready(
        child: Child,
        (verify, admin): (SocketAddr, SocketAddr),
        api_key: String,
        directory: TempDir,
    ) -> Fallible<Self> {
        let guard = guard(&child)?;
        let mut server = Self { child, guard, verify, admin, api_key, metrics: None, _directory: directory };
        let start = clock::now();
        while TcpStream::connect(verify).is_err() || TcpStream::connect(admin).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("a server ended: {status}\n{}", server.log()).into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("a server does not answer\n{}", server.log()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(crate) fn target(&self, method: &'static str) -> Target {
        Target { address: self.verify, method, api_key: self.api_key.clone() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its CPU time, in user space and in the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        const TICKS_PER_SECOND: u64 = 100;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // The name in parentheses may contain spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// `error`, and what the server logged last.
    pub(crate) fn explain(&self, error: Box<dyn Error>) -> Box<dyn Error> {
        let log = self.log();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        format!("{error}\nthe server's last words, latest first:\n{}", lines.join("\n")).into()
    }

    fn log(&self) -> String {
        log(self._directory.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both may have ended already. Kill the guard first: it has only the server's process id, which may be reused.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_default()
}

fn keystile(subcommand: &str, directory: &TempDir) -> Fallible<Command> {
    let executable = EXECUTABLE.get().ok_or("the server is not built")?;
    let mut command = command(executable, directory)?;
    command.arg(subcommand);
    Ok(command)
}

/// In its own directory, with a clean environment.
fn command(executable: &Path, directory: &TempDir) -> Fallible<Command> {
    let mut command = Command::new(executable);
    command
        .current_dir(directory.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(directory.path().join("log"))?);
    Ok(command)
}

/// A shell whose input closes when this process ends.
fn guard(server: &Child) -> std::io::Result<Child> {
    let script = format!("read -r _; kill -KILL {}", server.id());
    Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn()
}

fn root_key(directory: &TempDir, settings: &[(&str, String)]) -> Fallible<String> {
    let settings = settings.iter().cloned();
    let mut child = keystile("root-key", directory)?.envs(settings).spawn()?;
    let mut api_key = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut api_key)?;
    }
    if !child.wait()?.success() {
        return Err(format!("no root key\n{}", log(directory.path())).into());
    }
    Ok(api_key.trim().to_owned())
}

/// An address of the loopback interface that was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
