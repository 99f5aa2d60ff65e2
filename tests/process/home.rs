//! The directory and settings with which Keystile starts, kept over restarts, and a process that serves.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use keystile::store::Location;
use proto::{
    audit_service_client::AuditServiceClient, key_service_client::KeyServiceClient,
    project_service_client::ProjectServiceClient,
    service_account_service_client::ServiceAccountServiceClient, verify_service_client::VerifyServiceClient,
};
use tempfile::TempDir;
use testkit::{
    database::Database,
    process::{Ended, Process},
    server::{Bearer, Client, channel},
};
use tonic::transport::Channel;

/// A pepper for tests, of this version.
pub(crate) fn pepper(version: u16) -> String {
    let secret = [version.to_be_bytes(); 16].concat();
    format!("{version}:{}", STANDARD.encode(secret))
}

/// A directory with the settings of the processes that start in it.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    settings: Vec<(String, String)>,
}

impl Home {
    /// The embedded database, on ports that the system chooses.
    pub(crate) fn embedded() -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        Self { settings: Vec::new(), directory }
            .with("KEYSTILE_DATA_DIR", data.to_str().unwrap())
            .with("KEYSTILE_VERIFY_LISTEN", "127.0.0.1:0")
            .with("KEYSTILE_ADMIN_LISTEN", "127.0.0.1:0")
            .with("KEYSTILE_METRICS_LISTEN", "127.0.0.1:0")
            .with("KEYSTILE_LOG_FORMAT", "json")
    }

    /// On a test database, with peppers.
    pub(crate) fn on(database: &Database) -> Self {
        Self::at(&database.location)
    }

    /// On a database at any location, with peppers.
    pub(crate) fn at(location: &Location) -> Self {
        let url = match location {
            Location::Sqlite(file) => format!("sqlite://{}", file.display()),
            Location::Server(url) => url.clone(),
        };
        Self::embedded().with("KEYSTILE_DATABASE_URL", &url).with("KEYSTILE_PEPPERS", &pepper(1))
    }

    /// Replaces a setting.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn setting(&self, name: &str) -> &str {
        let mut settings = self.settings.iter();
        &settings.find(|(known, _)| known == name).unwrap().1
    }

    /// Writes a file into the working directory of its processes.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A command in the working directory, with the settings and nothing else in its environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        command.current_dir(self.directory.path()).env_clear().envs(settings);
        command
    }

    /// Starts the binary.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(self.command(env!("CARGO_BIN_EXE_keystile")).args(arguments))
    }

    /// Runs the binary until it ends.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.spawn(arguments).ended().await
    }

    /// Starts the binary, and waits until it serves.
    pub(crate) async fn serve(&self) -> Serving {
        Serving::of(self.spawn(&[])).await
    }
}

/// A process that serves.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) process: Process,
    pub(crate) verify: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

impl Serving {
    pub(crate) async fn of(process: Process) -> Self {
        let line = process.wait_for_line(r#""message":"serving""#).await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
        Self {
            verify: address("listener.verify"),
            admin: address("listener.admin"),
            metrics: address("listener.metrics"),
            process,
        }
    }

    /// The root API key that a first start prints.
    pub(crate) async fn root(&self) -> String {
        let welcome = self.process.prints("ProjectService/CreateProject").await;
        printed_key(&welcome).unwrap()
    }

    /// A client that calls with this API key.
    pub(crate) fn caller(&self, api_key: &str) -> Caller {
        Caller { admin: channel(self.admin), verify: channel(self.verify), bearer: Bearer::new(api_key) }
    }

    /// SIGTERM, and a clean end.
    pub(crate) async fn stop(self) -> Ended {
        self.process.signal("TERM");
        self.process.ended().await.with_code(0)
    }
}

/// The API key of the system project that is printed on a line of its own.
pub(crate) fn printed_key(text: &str) -> Option<String> {
    text.lines().find(|line| line.starts_with("keystile_live_")).map(str::to_owned)
}

/// A client with a credential, on one connection to each listener.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) admin: Channel,
    pub(crate) verify: Channel,
    pub(crate) bearer: Bearer,
}

impl Caller {
    pub(crate) fn keys(&self) -> KeyServiceClient<Client> {
        KeyServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }

    pub(crate) fn projects(&self) -> ProjectServiceClient<Client> {
        ProjectServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }

    pub(crate) fn accounts(&self) -> ServiceAccountServiceClient<Client> {
        ServiceAccountServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Client> {
        AuditServiceClient::with_interceptor(self.admin.clone(), self.bearer.clone())
    }

    pub(crate) fn verifier(&self) -> VerifyServiceClient<Client> {
        VerifyServiceClient::with_interceptor(self.verify.clone(), self.bearer.clone())
    }

    /// The project `acme`.
    pub(crate) async fn create_project(&self) {
        let project = proto::Project { prefix: "acme".into(), ..Default::default() };
        let request = proto::CreateProjectRequest {
            project_id: "acme".into(),
            project: Some(project),
            ..Default::default()
        };
        self.projects().create_project(request).await.unwrap();
    }

    /// A key of the project `acme`, and its API key.
    pub(crate) async fn create_key(&self, display_name: &str) -> (proto::Key, String) {
        let request = new_key(display_name);
        let created = self.keys().create_key(request).await.unwrap().into_inner();
        (created.key.unwrap(), created.api_key)
    }

    pub(crate) async fn key(&self, name: &str) -> proto::Key {
        let request = proto::GetKeyRequest { name: name.into() };
        let found = self.keys().get_key(request).await.unwrap().into_inner();
        found.key.unwrap()
    }

    pub(crate) async fn revoke(&self, name: &str) {
        let request = proto::RevokeKeyRequest { name: name.into(), ..Default::default() };
        self.keys().revoke_key(request).await.unwrap();
    }

    pub(crate) async fn purge(&self, name: &str) {
        let request = proto::DeleteKeyRequest { name: name.into(), purge: true, ..Default::default() };
        self.keys().delete_key(request).await.unwrap();
    }

    /// Rotates a key without grace, and returns its new API key.
    pub(crate) async fn rotate(&self, name: &str) -> String {
        let request = proto::RotateKeyRequest { name: name.into(), ..Default::default() };
        let rotated = self.keys().rotate_key(request).await.unwrap();
        rotated.into_inner().api_key
    }

    /// The name of the project's system key.
    pub(crate) async fn system_key(&self) -> String {
        let request = proto::GetProjectRequest { name: "projects/acme".into() };
        let project = self.projects().get_project(request).await.unwrap();
        project.into_inner().project.unwrap().system_key
    }

    /// The code of Verify for the API key without other fields.
    pub(crate) async fn code(&self, api_key: &str) -> proto::Code {
        let request = proto::VerifyRequest { api_key: api_key.into(), ..Default::default() };
        let answer = self.verifier().verify(request).await.unwrap();
        answer.into_inner().code()
    }

    /// Checks that the change log is intact, and returns its length.
    pub(crate) async fn whole_log(&self) -> i64 {
        let request = proto::VerifyAuditChainRequest::default();
        let report = self.audit().verify_audit_chain(request).await.unwrap();
        let report = report.into_inner();
        assert!(report.intact, "{report:?}");
        assert_eq!(report.checked_events, report.head_revision);
        report.head_revision
    }
}

pub(crate) fn new_key(display_name: &str) -> proto::CreateKeyRequest {
    proto::CreateKeyRequest {
        parent: "projects/acme".into(),
        key: Some(proto::Key {
            display_name: display_name.into(),
            environment: "production".into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}
