//! A transaction that writes, on a connection that is used again only if the transaction is known to have ended.
//!
//! The drivers' own transactions roll back in the background and pool the connection whatever comes of it; a
//! later "commit" on it may then end no more than a savepoint.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError,
    Statement,
    sea_query::Values,
    sqlx::{
        self, AssertSqlSafe, Database, Executor, MySql, Pool, Postgres, Sqlite, pool::PoolConnection,
        query::Query,
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::{sync::Mutex, time::timeout};

use super::error;

/// Is shown every statement once it ran.
pub(super) type Observer = Arc<dyn Fn(&Statement) + Send + Sync>;

pub(super) struct Transaction {
    backend: DbBackend,
    observer: Option<Observer>,
    /// How long the database may take to answer a statement. A host that is lost never answers, and gives no other sign.
    patience: Duration,
    connection: Mutex<Connection>,
}

struct Connection {
    link: Link,
    /// Whether every statement so far succeeded. At one that fails the database may end the transaction, and
    /// would commit each later statement by itself.
    sound: bool,
    /// Whether the database answered so far, if only with an error: what does not is not asked again.
    answers: bool,
}

/// Why a transaction was not committed, or is not known to be.
pub(super) enum Uncommitted {
    /// It left nothing behind.
    Undone(DbErr),
    /// The connection failed before the database answered.
    Unknown(DbErr),
}

impl From<Uncommitted> for DbErr {
    fn from(error: Uncommitted) -> Self {
        match error {
            Uncommitted::Undone(error) | Uncommitted::Unknown(error) => error,
        }
    }
}

impl Transaction {
    pub(super) async fn begin(
        db: &DatabaseConnection,
        observer: Option<Observer>,
        patience: Duration,
    ) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        let (mut link, begin) = match backend {
            // A transaction that begins as a reader and turns writer may find that it cannot.
            DbBackend::Sqlite => {
                (Link::Sqlite(Lent::from(db.get_sqlite_connection_pool()).await?), "BEGIN IMMEDIATE")
            }
            DbBackend::Postgres => {
                (Link::Postgres(Lent::from(db.get_postgres_connection_pool()).await?), "BEGIN")
            }
            _ => (Link::MySql(Lent::from(db.get_mysql_connection_pool()).await?), "BEGIN"),
        };
        link.run(begin, patience).await?;
        let connection = Mutex::new(Connection { link, sound: true, answers: true });
        Ok(Self { backend, observer, patience, connection })
    }

    pub(super) async fn commit(self) -> Result<(), Uncommitted> {
        let Connection { mut link, sound, .. } = self.connection.into_inner();
        if !sound {
            return Err(Uncommitted::Undone(failed_before()));
        }
        match link.run("COMMIT", self.patience).await {
            Ok(()) => {
                link.give_back(self.patience);
                Ok(())
            }
            Err(error) if error::undoes(&error) => Err(Uncommitted::Undone(error)),
            // What can still be rolled back was not committed.
            Err(error) if error::is_answer(&error) && link.run("ROLLBACK", self.patience).await.is_ok() => {
                Err(Uncommitted::Undone(error))
            }
            Err(error) => Err(Uncommitted::Unknown(error)),
        }
    }

    /// Undoes it: by ROLLBACK, else by closing the connection.
    pub(super) async fn undo(self) {
        let Connection { mut link, answers, .. } = self.connection.into_inner();
        if answers && link.run("ROLLBACK", self.patience).await.is_ok() {
            link.give_back(self.patience);
        }
    }

    fn observe(&self, statement: &Statement) {
        if let Some(observer) = &self.observer {
            observer(statement);
        }
    }
}

impl Connection {
    /// The connection for one more statement, after which [`Self::ran`] is called unless it is given up half-way.
    fn run(&mut self) -> Result<&mut Link, DbErr> {
        if !std::mem::replace(&mut self.sound, false) {
            return Err(failed_before());
        }
        Ok(&mut self.link)
    }

    fn ran<T>(&mut self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        self.sound = outcome.is_ok();
        self.answers = outcome.as_ref().map_or_else(error::is_answer, |_| true);
        outcome
    }
}

/// What the database answers, unless it takes longer than `patience`. The connection must not be used after that.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, SqlxError>>,
) -> Result<T, DbErr> {
    let silent = |_| {
        let why = format!("no answer within {patience:?}");
        Err(SqlxError::Io(io::Error::new(io::ErrorKind::TimedOut, why)))
    };
    timeout(patience, answer).await.unwrap_or_else(silent).map_err(from_driver)
}

fn from_driver(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn failed_before() -> DbErr {
    DbErr::Custom("a statement of this transaction failed before".to_owned())
}

enum Link {
    Sqlite(Lent<Sqlite>),
    Postgres(Lent<Postgres>),
    MySql(Lent<MySql>),
}

/// A connection from the pool: closed when it is dropped, unless it was given back.
struct Lent<D: Database>(Option<PoolConnection<D>>);

/// Does the same with the connection of any database.
macro_rules! on {
    ($link:expr, $connection:ident => $run:expr) => {
        match $link {
            Link::Sqlite(Lent(Some($connection))) => $run,
            Link::Postgres(Lent(Some($connection))) => $run,
            Link::MySql(Lent(Some($connection))) => $run,
            _ => unreachable!("it is given back at the end"),
        }
    };
}

impl Link {
    async fn run(&mut self, sql: &'static str, patience: Duration) -> Result<(), DbErr> {
        within(patience, async { on!(self, it => it.execute(sql).await.map(drop)) }).await
    }

    fn give_back(self, patience: Duration) {
        match self {
            Self::Sqlite(lent) => lent.give_back(patience),
            Self::Postgres(lent) => lent.give_back(patience),
            Self::MySql(lent) => lent.give_back(patience),
        }
    }
}

impl<D: Database> Lent<D> {
    async fn from(pool: &Pool<D>) -> Result<Self, DbErr> {
        pool.acquire().await.map(|connection| Self(Some(connection))).map_err(from_driver)
    }

    /// The pool asks whether it still lives. Dropped there, it would wait for the answer for ever, with its place taken.
    fn give_back(mut self, patience: Duration) {
        if let Some(mut connection) = self.0.take() {
            tokio::spawn(timeout(patience, connection.return_to_pool()));
        }
    }
}

impl<D: Database> Drop for Lent<D> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let link = connection.run()?;
        let done = within(self.patience, async {
            on!(link, it => query(&statement).execute(&mut **it).await.map(ExecResult::from))
        });
        let done = done.await;
        self.observe(&statement);
        connection.ran(done)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection.lock().await;
        let sql = AssertSqlSafe(sql.to_owned());
        let link = connection.run()?;
        let done =
            within(self.patience, async { on!(link, it => it.execute(sql).await.map(ExecResult::from)) });
        let done = done.await;
        connection.ran(done)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let link = connection.run()?;
        let row = within(self.patience, async {
            on!(link, it => {
                query(&statement).fetch_optional(&mut **it).await.map(|row| row.map(QueryResult::from))
            })
        });
        let row = row.await;
        self.observe(&statement);
        connection.ran(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut connection = self.connection.lock().await;
        let link = connection.run()?;
        let rows = within(self.patience, async {
            on!(link, it => {
                let rows = query(&statement).fetch_all(&mut **it).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            })
        });
        let rows = rows.await;
        self.observe(&statement);
        connection.ran(rows)
    }
}

fn query<D: Database>(statement: &Statement) -> Query<'_, D, SqlxValues>
where
    SqlxValues: sqlx::IntoArguments<D>,
{
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectOptions, Database};

    use super::*;

    /// SQLite rolls back by itself when the disk is full, and MySQL at a deadlock; `OR ROLLBACK` has the same effect.
    #[tokio::test]
    async fn nothing_is_sent_after_a_statement_that_failed() {
        let directory = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("db").display());
        let db = Database::connect(ConnectOptions::new(url)).await.unwrap();
        db.execute_unprepared("CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
        let tx = Transaction::begin(&db, None, Duration::from_secs(60)).await.unwrap();
        let insert = "INSERT OR ROLLBACK INTO things VALUES (1)";
        tx.execute_unprepared(insert).await.unwrap();
        tx.execute_unprepared(insert).await.unwrap_err();
        tx.execute_unprepared("INSERT INTO things VALUES (2)").await.unwrap_err();
        assert!(matches!(tx.commit().await, Err(Uncommitted::Undone(_))));
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) AS number FROM things");
        let number: i64 = db.query_one_raw(count).await.unwrap().unwrap().try_get("", "number").unwrap();
        assert_eq!(number, 0);
    }
}
