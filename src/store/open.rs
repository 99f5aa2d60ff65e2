//! How the database is reached: one pool, whose connections are all set up alike.

use std::{fmt, fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::PathBuf, time::Duration};

use sea_orm::{
    DatabaseConnection, SqlxError, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    sqlx::{
        ConnectOptions, Connection, Database, Executor,
        mysql::{MySqlConnectOptions, MySqlConnection},
        pool::PoolOptions,
        postgres::{PgConnectOptions, PgConnection},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::sync::Mutex;

use crate::ports::StoreError;

use super::{SqlStore, error, load::Queries};

#[derive(Debug, Clone)]
pub struct Options {
    pub location: Location,
    pub max_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long the first connection may take.
    pub connect_timeout: Duration,
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
        Ok(Self { db, turn, loads, options })
    }

    /// Shows every statement to `observer` once it ran, parameters included: for counting, not for logs.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
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
    create(file).map_err(|why| StoreError::Unavailable(format!("{}: {why}", file.display())))?;
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

/// Makes the file for its owner's eyes alone; SQLite gives its side files the same mode.
fn create(file: &PathBuf) -> io::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

async fn postgres(options: &Options, url: &str) -> Result<DatabaseConnection, StoreError> {
    let connect: PgConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.application_name("keystile").disable_statement_logging();
    try_once(&connect, options).await?;
    let pool = server_pool(options)
        .after_connect(|connection: &mut PgConnection, _| {
            Box::pin(async move {
                connection
                    .execute(
                        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                         SET lock_timeout = '10s'; \
                         SET idle_in_transaction_session_timeout = '60s'",
                    )
                    .await
                    .map(drop)
            })
        })
        .connect_lazy_with(connect);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn mysql(options: &Options, url: &str) -> Result<DatabaseConnection, StoreError> {
    let connect: MySqlConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.charset("utf8mb4").disable_statement_logging();
    try_once(&connect, options).await?;
    let pool = server_pool(options)
        .after_connect(|connection: &mut MySqlConnection, _| {
            Box::pin(async move {
                // Under REPEATABLE READ a transaction that waited for a lock would go on to read the past.
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                connection
                    .execute(
                        "SET SESSION innodb_lock_wait_timeout = 10, \
                         sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
                    )
                    .await
                    .map(drop)
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
