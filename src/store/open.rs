//! How the database is reached: one pool, whose connections are all set up alike.

use std::{
    fmt,
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Access, access};
use sea_orm::{
    DatabaseConnection, SqlxError, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    sqlx::{
        AssertSqlSafe, ConnectOptions, Connection, Database, Executor,
        mysql::{MySqlConnectOptions, MySqlConnection},
        pool::PoolOptions,
        postgres::{PgConnectOptions, PgConnection},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::sync::Mutex;

use crate::ports::StoreError;

use super::{SqlStore, answered::Answered, claim::cannot_write, error, load::Queries, transaction::Observer};

#[derive(Debug, Clone)]
pub struct Options {
    pub location: Location,
    pub max_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long the first connection may take.
    pub connect_timeout: Duration,
    /// How long a transaction of a client that vanished may hold its locks on a server. At least a second.
    pub vanished_after: Duration,
}

#[derive(Clone)]
pub enum Location {
    /// A file, made if it is missing; its directory must be there.
    Sqlite(PathBuf),
    /// `postgres://…` or `mysql://…`, with the password in it.
    Server(String),
}

impl SqlStore {
    /// Connects; fails at once when the database cannot be reached.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let db = connect(&options).await?;
        let turn = matches!(options.location, Location::Sqlite(_)).then(Mutex::default);
        let loads = Queries::new(db.get_database_backend());
        Ok(Self { db, turn, loads, options, answered: Answered::default(), observer: None })
    }

    /// Shows every statement to `observer` once it ran, parameters included: for counting, not for logs.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        let observer: Observer = Arc::new(observer);
        self.observer = Some(Arc::clone(&observer));
        self.db.set_metric_callback(move |info| observer(info.statement));
    }

    /// Lets every connection finish what it does, and closes it.
    pub async fn close(&self) {
        // Closing a pool has no way to fail.
        let _ = self.db.close_by_ref().await;
    }
}

pub(super) async fn connect(options: &Options) -> Result<DatabaseConnection, StoreError> {
    match &options.location {
        Location::Sqlite(file) => sqlite(options, file).await,
        Location::Server(url) if url.starts_with("mysql:") => mysql(options, url).await,
        Location::Server(url) => postgres(options, url).await,
    }
}

async fn sqlite(options: &Options, file: &PathBuf) -> Result<DatabaseConnection, StoreError> {
    create(file).map_err(|why| cannot_write(file, &why))?;
    let connect = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let pool = pool(options)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(connect)
        .await
        .map_err(unreachable)?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Makes the file for its owner's eyes alone; SQLite gives its side files the same mode. One that exists must be
/// writable, or SQLite would open it for reading only.
fn create(file: &Path) -> io::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_writable(file),
        other => other.map(drop),
    }
}

/// Without opening the file: to close it again would end the locks that this process holds on it.
fn is_writable(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    access(file, Access::READ_OK | Access::WRITE_OK)?;
    // For the files that SQLite puts next to it.
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

async fn postgres(options: &Options, url: &str) -> Result<DatabaseConnection, StoreError> {
    let connect: PgConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.application_name("keystile").disable_statement_logging();
    try_once(&connect, options).await?;
    let settings = format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET lock_timeout = '10s'; \
         SET idle_in_transaction_session_timeout = '{}s'",
        options.vanished_after.as_secs()
    );
    let pool = server_pool(options)
        .after_connect(move |connection: &mut PgConnection, _| {
            let settings = AssertSqlSafe(settings.clone());
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        })
        .connect_lazy_with(connect);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn mysql(options: &Options, url: &str) -> Result<DatabaseConnection, StoreError> {
    let connect: MySqlConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.charset("utf8mb4").disable_statement_logging();
    try_once(&connect, options).await?;
    // MySQL has no bound for idle transactions alone, so idle connections end as well: from this side first,
    // since the server writes a warning to its log for each that it ends.
    let settings = format!(
        "SET SESSION innodb_lock_wait_timeout = 10, wait_timeout = {}, \
         sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        options.vanished_after.as_secs()
    );
    let pool = server_pool(options)
        .idle_timeout(options.vanished_after / 2)
        .after_connect(move |connection: &mut MySqlConnection, _| {
            let settings = AssertSqlSafe(settings.clone());
            Box::pin(async move {
                // Under REPEATABLE READ a transaction that waited for a lock would go on to read the past.
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                connection.execute(settings).await.map(drop)
            })
        })
        .connect_lazy_with(connect);
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

fn pool<D: Database>(options: &Options) -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
}

/// A connection that rested for a while is asked whether it still lives; a busy one is not, which
/// would cost every query a second round trip.
fn server_pool<D: Database>(options: &Options) -> PoolOptions<D> {
    pool(options).before_acquire(|connection: &mut D::Connection, meta| {
        Box::pin(async move {
            if meta.idle_for > Duration::from_secs(1) {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

/// A pool retries and then says no more than that it ran out of time; one attempt says why.
async fn try_once<C>(connect: &C, options: &Options) -> Result<(), StoreError>
where
    C: ConnectOptions<Connection: Sized>,
{
    let attempt = tokio::time::timeout(options.connect_timeout, connect.connect()).await;
    let connection = attempt
        .map_err(|_| {
            let seconds = options.connect_timeout.as_secs_f32();
            StoreError::Unavailable(format!("no connection within {seconds} s"))
        })?
        .map_err(unreachable)?;
    // Whether it also says goodbye does not matter.
    let _ = connection.close().await;
    Ok(())
}

/// No parameters are sent while connecting, so the whole error is told; drivers leave the password out.
fn unreachable(error: SqlxError) -> StoreError {
    match error::sqlx_kind(&error) {
        error::Kind::Broken => StoreError::Broken(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => f.debug_tuple("Sqlite").field(file).finish(),
            Self::Server(_) => f.write_str("Server(redacted)"),
        }
    }
}
