//! A complete server within the test, on ports of its own, with a clock that the test advances.

mod calls;
mod client;
mod clock;
mod streams;

use std::{net::SocketAddr, sync::Arc};

use keystile::{
    app::{App, Listeners, World},
    config::{Config, Environment},
    store::Location,
};
use proto::{
    audit_service_client::AuditServiceClient, caller_service_client::CallerServiceClient,
    key_service_client::KeyServiceClient, project_service_client::ProjectServiceClient,
    role_service_client::RoleServiceClient, service_account_service_client::ServiceAccountServiceClient,
    verify_service_client::VerifyServiceClient,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::database::{Database, Kind};

pub use calls::{Answer, inner};
pub use client::{Bearer, Client, channel};
pub use clock::{START, TestClock};
pub use streams::{Outcome, Talk, next, outcome};

#[derive(Debug)]
pub struct Server {
    pub clock: Arc<TestClock>,
    /// The root API key that the first start issued.
    pub root: String,
    pub admin: SocketAddr,
    pub verify: SocketAddr,
    pub metrics: SocketAddr,
    pub database: Database,
    directory: TempDir,
    running: Running,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_on(Kind::Sqlite).await
    }

    pub async fn start_on(kind: Kind) -> Self {
        Self::start_over(Database::empty(kind).await).await
    }

    /// A server that makes its first start on `database`.
    pub async fn start_over(database: Database) -> Self {
        let directory = TempDir::new().unwrap();
        let clock = Arc::new(TestClock::default());
        let app = open(&database, &directory, &clock, &[]).await;
        let root = app.first_root_key().unwrap().api_key.expose().to_owned();
        Self::of(app, clock, root, database, directory).await
    }

    async fn of(
        app: App,
        clock: Arc<TestClock>,
        root: String,
        database: Database,
        directory: TempDir,
    ) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = Listeners {
            verify: bind().await.unwrap(),
            admin: bind().await.unwrap(),
            metrics: bind().await.unwrap(),
        };
        let [verify, admin, metrics] = [&listeners.verify, &listeners.admin, &listeners.metrics]
            .map(|listener| listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            // A test that ends without a stop drops the sender, which stops the server too.
            app.serve(listeners, async { drop(stopped.await) }).await.unwrap();
        });
        let running = Running { stop, served };
        Self { clock, root, admin, verify, metrics, database, directory, running }
    }

    /// Stops, and starts again on the same data with further settings.
    pub async fn restart_with(self, settings: &[(&str, &str)]) -> Self {
        let Self { clock, root, database, directory, running, .. } = self;
        running.stop().await;
        let app = open(&database, &directory, &clock, settings).await;
        assert!(app.first_root_key().is_none(), "a root key is created only once");
        Self::of(app, clock, root, database, directory).await
    }

    /// Stops, so that all pending writes are made, and keeps the database.
    pub async fn stop(self) -> (Database, TempDir) {
        self.running.stop().await;
        (self.database, self.directory)
    }

    pub fn keys(&self) -> KeyServiceClient<Client> {
        KeyServiceClient::with_interceptor(channel(self.admin), self.as_root())
    }

    pub fn projects(&self) -> ProjectServiceClient<Client> {
        ProjectServiceClient::with_interceptor(channel(self.admin), self.as_root())
    }

    pub fn accounts(&self) -> ServiceAccountServiceClient<Client> {
        ServiceAccountServiceClient::with_interceptor(channel(self.admin), self.as_root())
    }

    pub fn roles(&self) -> RoleServiceClient<Client> {
        RoleServiceClient::with_interceptor(channel(self.admin), self.as_root())
    }

    pub fn audit(&self) -> AuditServiceClient<Client> {
        AuditServiceClient::with_interceptor(channel(self.admin), self.as_root())
    }

    pub fn verifier(&self) -> VerifyServiceClient<Client> {
        VerifyServiceClient::with_interceptor(channel(self.verify), self.as_root())
    }

    /// The keys as the holder of `api_key` sees them.
    pub fn keys_as(&self, api_key: &str) -> KeyServiceClient<Client> {
        KeyServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key))
    }

    /// The roles as the holder of `api_key` sees them.
    pub fn roles_as(&self, api_key: &str) -> RoleServiceClient<Client> {
        RoleServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key))
    }

    /// The projects as the holder of `api_key` sees them.
    pub fn projects_as(&self, api_key: &str) -> ProjectServiceClient<Client> {
        ProjectServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key))
    }

    /// The log as the holder of `api_key` sees it.
    pub fn audit_as(&self, api_key: &str) -> AuditServiceClient<Client> {
        AuditServiceClient::with_interceptor(channel(self.admin), Bearer::new(api_key))
    }

    /// The holder of `api_key`, on the listener at `address`.
    pub fn caller_at(&self, address: SocketAddr, api_key: &str) -> CallerServiceClient<Client> {
        CallerServiceClient::with_interceptor(channel(address), Bearer::new(api_key))
    }

    /// A client of service accounts with this API key.
    pub fn accounts_as(&self, api_key: &str) -> ServiceAccountServiceClient<Client> {
        let caller = Bearer::new(api_key);
        ServiceAccountServiceClient::with_interceptor(channel(self.admin), caller)
    }

    fn as_root(&self) -> Bearer {
        Bearer::new(&self.root)
    }

    /// A project of this id, with the prefix `acme`.
    pub async fn project(&self, id: &str) -> proto::Project {
        let project = proto::Project { prefix: "acme".into(), ..Default::default() };
        let request = proto::CreateProjectRequest {
            project_id: id.into(),
            project: Some(project),
            ..Default::default()
        };
        self.projects().create_project(request).await.unwrap().into_inner().project.unwrap()
    }

    /// Creates `key` in that project, by default in production, and returns it with its API key.
    /// In the system project it is [a root key](root_unless_said) unless `key` says otherwise.
    pub async fn key(&self, project: &str, mut key: proto::Key) -> (proto::Key, String) {
        if key.environment.is_empty() {
            key.environment = "production".into();
        }
        if project == "system" {
            key = root_unless_said(key);
        }
        let request = proto::CreateKeyRequest {
            parent: format!("projects/{project}"),
            key: Some(key),
            ..Default::default()
        };
        let created = self.keys().create_key(request).await.unwrap().into_inner();
        (created.key.unwrap(), created.api_key)
    }

    /// The newest revision of the change log; it grows with each change.
    pub async fn head(&self) -> i64 {
        let request = proto::VerifyAuditChainRequest::default();
        let report = self.audit().verify_audit_chain(request).await.unwrap();
        report.into_inner().head_revision
    }

    /// An account of that project with this id.
    pub async fn service_account(&self, project: &str, id: &str) -> proto::ServiceAccount {
        let request = proto::CreateServiceAccountRequest {
            parent: format!("projects/{project}"),
            service_account_id: id.into(),
            ..Default::default()
        };
        let created = self.accounts().create_service_account(request).await;
        created.unwrap().into_inner().service_account.unwrap()
    }

    /// The code of Verify for the API key without other fields.
    pub async fn code(&self, api_key: &str) -> proto::Code {
        let request = proto::VerifyRequest { api_key: api_key.into(), ..Default::default() };
        self.verifier().verify(request).await.unwrap().into_inner().code()
    }
}

/// A key of the system project that may do everything, unless it says what it may do or for which projects.
pub fn root_unless_said(mut key: proto::Key) -> proto::Key {
    if key.roles.is_empty() && key.permissions.is_empty() {
        key.roles.push("root".into());
    }
    if key.customers.is_empty() {
        key.customers.push("*".into());
    }
    key
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

async fn open(
    database: &Database,
    directory: &TempDir,
    clock: &Arc<TestClock>,
    settings: &[(&str, &str)],
) -> App {
    let url = match &database.location {
        Location::Sqlite(file) => format!("sqlite://{}", file.display()),
        Location::Server(url) => url.clone(),
    };
    let data = directory.path().to_str().unwrap();
    let peppers = format!("1:{}", "cGVwcGVy".repeat(6));
    let mut all = vec![("KEYSTILE_DATA_DIR", data), ("KEYSTILE_DATABASE_URL", &url)];
    if !settings.iter().any(|(name, _)| *name == "KEYSTILE_PEPPERS") {
        all.push(("KEYSTILE_PEPPERS", &peppers));
    }
    all.extend(settings);
    let environment: Environment = all.into_iter().collect();
    let config = Config::load(&environment).unwrap();
    let world = World { clock: clock.clone(), ..World::system() };
    App::open(&config, world).await.unwrap()
}
