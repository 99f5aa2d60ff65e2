//! A new database for each test, dropped when the test ends.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use keystile::store::{Location, Options, SqlStore};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::random::TestRandom;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    MySql,
}

/// A database that only one test uses.
#[derive(Debug)]
pub struct Database {
    pub kind: Kind,
    pub location: Location,
    /// Of all nodes that a test builds on this database, so that no two of them choose the same id.
    pub random: Arc<TestRandom>,
    name: String,
    _directory: Option<TempDir>,
    _place: Option<SemaphorePermit<'static>>,
}

/// How many databases on servers are in use at a time; each takes a handful of connections.
static PLACES: Semaphore = Semaphore::const_new(8);

impl Database {
    /// An empty database, without a schema.
    pub async fn empty(kind: Kind) -> Self {
        if kind == Kind::Sqlite {
            let directory = TempDir::new().expect("a temporary directory");
            return Self {
                kind,
                location: Location::Sqlite(directory.path().join("keystile.db")),
                random: Arc::default(),
                name: String::new(),
                _directory: Some(directory),
                _place: None,
            };
        }
        let place = PLACES.acquire().await.expect("the semaphore is never closed");
        let name = unique_name();
        let create = match kind {
            // With the collation of a language, as most databases have: comparisons of Keystile must not depend on it.
            Kind::Postgres => format!(
                "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' \
                 LOCALE_PROVIDER icu ICU_LOCALE 'en'"
            ),
            _ => format!("CREATE DATABASE {name}"),
        };
        on_server(kind, &create)
            .await
            .unwrap_or_else(|error| panic!("{} does not answer: {error}\n{HINT}", admin_url(kind)));
        Self {
            kind,
            location: Location::Server(with_database(&admin_url(kind), &name)),
            random: Arc::default(),
            name,
            _directory: None,
            _place: Some(place),
        }
    }

    /// A database with the newest schema, and a store on it.
    pub async fn migrated(kind: Kind) -> (Self, SqlStore) {
        let database = Self::empty(kind).await;
        let store = database.open().await;
        store.migrate().await.expect("a fresh database migrates");
        (database, store)
    }

    pub async fn open(&self) -> SqlStore {
        let options = self.options();
        SqlStore::open(options).await.expect("the database is there")
    }

    pub fn options(&self) -> Options {
        Options {
            location: self.location.clone(),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(60),
            slowest_read: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            vanished_after: Duration::from_secs(60),
        }
    }

    /// A connection that bypasses the store.
    pub async fn raw(&self) -> DatabaseConnection {
        connect(self.url()).await.expect("the database is there")
    }

    /// Runs one statement, bypassing the store.
    pub async fn execute(&self, sql: &str) {
        let raw = self.raw().await;
        raw.execute_unprepared(sql).await.expect("the statement runs");
        raw.close().await.expect("the connection closes");
    }

    /// Runs one statement on the server, but not in this database.
    pub async fn on_server(&self, sql: &str) {
        on_server(self.kind, sql).await.expect("the statement runs");
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, of a SQLite database.
    pub fn file(&self) -> Option<&PathBuf> {
        match &self.location {
            Location::Sqlite(file) => Some(file),
            Location::Server(_) => None,
        }
    }

    fn url(&self) -> String {
        match &self.location {
            Location::Sqlite(file) => format!("sqlite://{}", file.display()),
            Location::Server(url) => url.clone(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let force = match self.kind {
            Kind::Postgres => " WITH (FORCE)",
            _ => "",
        };
        let (kind, drop) = (self.kind, format!("DROP DATABASE {}{force}", self.name));
        // In a thread, because the test's runtime may be shutting down after a panic.
        let dropped = thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(on_server(kind, &drop))
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) && !thread::panicking() {
            panic!("the database {} was left behind: {dropped:?}", self.name);
        }
    }
}

const HINT: &str = "./test.sh starts the servers that the tests need; KEYSTILE_TEST_POSTGRES_URL and \
                    KEYSTILE_TEST_MYSQL_URL name others.";

fn admin_url(kind: Kind) -> String {
    let (variable, default) = match kind {
        Kind::MySql => ("KEYSTILE_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/mysql"),
        _ => (
            "KEYSTILE_TEST_POSTGRES_URL",
            // No TLS unless a test is about it: it would take most of the time.
            "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable",
        ),
    };
    env::var(variable).unwrap_or_else(|_| default.to_owned())
}

fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let (server, _) = address.rsplit_once('/').expect("the URL names a database");
    let parameters = parameters.map(|it| format!("?{it}")).unwrap_or_default();
    format!("{server}/{name}{parameters}")
}

fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Process ids are reused, and repeat between machines.
    let random = TempDir::new().expect("a temporary directory");
    let random = random.path().file_name().expect("the directory has a name");
    let random: String = random.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("keystile_test_{}_{count}_{random}", std::process::id());
    name.to_lowercase()
}

async fn on_server(kind: Kind, sql: &str) -> Result<(), DbErr> {
    let server = connect(admin_url(kind)).await?;
    let outcome = server.execute_unprepared(sql).await;
    server.close().await?;
    outcome.map(drop)
}

async fn connect(url: String) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).connect_timeout(Duration::from_secs(10)).sqlx_logging(false);
    sea_orm::Database::connect(options).await
}
