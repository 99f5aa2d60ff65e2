//! Pools of connections, which are all set up alike but for what they are for.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Access, access};
use sea_orm::{
    DatabaseConnection, SqlxError, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        AssertSqlSafe, ConnectOptions, Connection, Database, Executor,
        mysql::{MySqlConnectOptions, MySqlConnection},
        pool::PoolOptions,
        postgres::{PgConnectOptions, PgConnection},
        query_scalar,
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
    },
};

use crate::ports::StoreError;

use super::{Location, Options, cancel::DatabaseSession, claim::cannot_write, error, reads::ReadConnection};

/// A pool of so many connections on a database that answered just now.
pub(super) async fn connect(options: &Options, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let target = Target::reach(options).await?;
    Ok(target.pool(&Use::of(connections), options))
}

/// What a pool is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Use {
    connections: u32,
    /// How long a statement may take, unless the database is SQLite.
    slowest: Option<Duration>,
    /// Receives the name that the database has for a connection.
    session: Option<Arc<DatabaseSession>>,
}

impl Use {
    /// So many connections, with nothing else to know.
    pub(super) fn of(connections: u32) -> Self {
        Self { connections, ..Self::default() }
    }
}

/// Where to connect to, with the password in it.
#[derive(Clone)]
pub(super) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
    MySql(MySqlConnectOptions),
}

impl Target {
    /// Fails at once when the database cannot be reached.
    pub(super) async fn reach(options: &Options) -> Result<Self, StoreError> {
        match &options.location {
            Location::Sqlite(file) => sqlite(options, file).await,
            Location::Server(url) if url.starts_with("mysql:") => mysql(options, url).await,
            Location::Server(url) => postgres(options, url).await,
        }
    }

    pub(super) fn read_connection(&self, slowest: Option<Duration>, options: &Options) -> ReadConnection {
        let session = Arc::new(DatabaseSession::default());
        let db = self.pool(&Use { connections: 1, slowest, session: Some(session.clone()) }, options);
        ReadConnection { db, session }
    }

    /// Connects when a connection is needed.
    pub(super) fn pool(&self, to: &Use, options: &Options) -> DatabaseConnection {
        match self.clone() {
            Self::Sqlite(connect) => sqlite_pool(connect, to, options),
            Self::Postgres(connect) => postgres_pool(connect, to, options),
            Self::MySql(connect) => mysql_pool(connect, to, options),
        }
    }
}

async fn sqlite(options: &Options, file: &PathBuf) -> Result<Target, StoreError> {
    create(file).map_err(|why| cannot_write(file, &why))?;
    let connect = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    try_once(&connect, options).await?;
    Ok(Target::Sqlite(connect))
}

fn sqlite_pool(connect: SqliteConnectOptions, to: &Use, options: &Options) -> DatabaseConnection {
    let session = to.session.clone();
    let pool = pool(to, options)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection: &mut SqliteConnection, _| {
            let session = session.clone();
            Box::pin(async move {
                if let Some(session) = session {
                    connection
                        .lock_handle()
                        .await?
                        .set_progress_handler(STEPS, move || session.may_continue());
                }
                Ok(())
            })
        })
        .connect_lazy_with(connect);
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
}

/// After so many steps SQLite asks whether to go on: less than a millisecond, and no burden.
const STEPS: i32 = 10_000;

/// Creates the file with access for its owner only; SQLite gives its side files the same mode. One that exists must be
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

async fn postgres(options: &Options, url: &str) -> Result<Target, StoreError> {
    let connect: PgConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.application_name("keystile").disable_statement_logging();
    try_once(&connect, options).await?;
    Ok(Target::Postgres(connect))
}

fn postgres_pool(connect: PgConnectOptions, to: &Use, options: &Options) -> DatabaseConnection {
    let Use { slowest, session, .. } = to.clone();
    let mut settings = format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET lock_timeout = '10s'; \
         SET idle_in_transaction_session_timeout = '{}s'",
        options.vanished_after.as_secs()
    );
    if let Some(slowest) = slowest {
        settings += &format!("; SET statement_timeout = {}", slowest.as_millis());
    }
    let pool = server_pool(to, options)
        .after_connect(move |connection: &mut PgConnection, _| {
            let (settings, session) = (AssertSqlSafe(settings.clone()), session.clone());
            Box::pin(async move {
                connection.execute(settings).await?;
                if let Some(session) = session {
                    let id: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await?;
                    session.connected(id.into());
                }
                Ok(())
            })
        })
        .connect_lazy_with(connect);
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

async fn mysql(options: &Options, url: &str) -> Result<Target, StoreError> {
    let connect: MySqlConnectOptions = url.parse().map_err(unreachable)?;
    let connect = connect.charset("utf8mb4").disable_statement_logging();
    try_once(&connect, options).await?;
    Ok(Target::MySql(connect))
}

fn mysql_pool(connect: MySqlConnectOptions, to: &Use, options: &Options) -> DatabaseConnection {
    let Use { slowest, session, .. } = to.clone();
    // MySQL has no separate bound for idle transactions, so idle connections end as well: from this side first,
    // since the server writes a warning to its log for each that it ends.
    let settings = format!(
        "SET SESSION innodb_lock_wait_timeout = 10, wait_timeout = {}, \
         sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        options.vanished_after.as_secs()
    );
    // MariaDB reads the one comment as a part of the statement, MySQL the other.
    let limit = slowest.map(|slowest| {
        format!(
            "SET SESSION /*M! max_statement_time = {} */ /*!80000 max_execution_time = {} */",
            slowest.as_secs_f64(),
            slowest.as_millis()
        )
    });
    let pool = server_pool(to, options)
        .idle_timeout(options.vanished_after / 2)
        .after_connect(move |connection: &mut MySqlConnection, _| {
            let (settings, limit) = (AssertSqlSafe(settings.clone()), limit.clone());
            let session = session.clone();
            Box::pin(async move {
                // Under REPEATABLE READ a transaction that waited for a lock would go on to read the past.
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                connection.execute(settings).await?;
                if let Some(limit) = limit {
                    connection.execute(AssertSqlSafe(limit)).await?;
                }
                if let Some(session) = session {
                    let id: i64 =
                        query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)").fetch_one(connection).await?;
                    session.connected(id);
                }
                Ok(())
            })
        })
        .connect_lazy_with(connect);
    SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
}

fn pool<D: Database>(to: &Use, options: &Options) -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(to.connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
}

/// A connection that rested for a while is asked whether it still lives; a busy one is not, which
/// would cost every query a second round trip.
fn server_pool<D: Database>(to: &Use, options: &Options) -> PoolOptions<D> {
    let session = to.session.clone();
    pool(to, options).before_acquire(move |connection: &mut D::Connection, meta| {
        let session = session.clone();
        Box::pin(async move {
            if meta.idle_for > Duration::from_secs(1) {
                connection.ping().await?;
            }
            if let Some(session) = session {
                session.lent();
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

/// No parameters are sent while connecting, so the whole error may be shown; drivers omit the password.
fn unreachable(error: SqlxError) -> StoreError {
    match error::sqlx_kind(&error) {
        error::Kind::Broken => StoreError::Broken(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}
