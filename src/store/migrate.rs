//! Bringing the schema up to date, once, however many processes start together.

use migrations::{Migrate, Migrator, SchemaManager};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
    sea_query::{Order, Query},
};

use crate::ports::StoreError;

use super::{SqlStore, error, pools::connect};

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database is from a newer Keystile: it has migration {version}, which this one does not \
         know; start that version or a later one"
    )]
    Newer { version: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SqlStore {
    /// Brings the schema up to date, and answers with the names of what it took: none when it was.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        // A connection of its own: whatever goes wrong, the lock ends with it.
        let db = connect(&self.options, 1).await?;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let outcome = match db.begin_with_options(options).await {
            Ok(tx) => migrate(tx).await,
            Err(error) => Err(error.into()),
        };
        // Closing a pool has no way to fail.
        let _ = db.close().await;
        outcome
    }
}

async fn migrate(tx: DatabaseTransaction) -> Result<Vec<String>, MigrateError> {
    lock(&tx).await?;
    let applied = applied(&tx).await?;
    let known = Migrator::known();
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(MigrateError::Newer { version: version.clone() });
    }
    // A database user without the right to change the schema can run one that is up to date.
    if applied.len() < known.len() {
        Migrator::up(&tx, None).await?;
    }
    tx.commit().await?;
    Ok(known.into_iter().filter(|version| !applied.contains(version)).collect())
}

/// Held until the transaction ends, or on MySQL, which ends transactions at every change of the
/// schema, until the connection does. SQLite has it from the start of the transaction.
async fn lock(tx: &DatabaseTransaction) -> Result<(), MigrateError> {
    match tx.get_database_backend() {
        DbBackend::Postgres => {
            tx.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
            // "keystile", as a number.
            tx.execute_unprepared("SELECT pg_advisory_xact_lock(7738147099282140261)").await?;
        }
        DbBackend::MySql => {
            let lock = Statement::from_string(
                DbBackend::MySql,
                "SELECT GET_LOCK(CONCAT('keystile:', MD5(DATABASE())), 600)",
            );
            let row = tx.query_one_raw(lock).await?;
            let got: Option<i64> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
            if got != Some(1) {
                let why = "another process has been migrating it for ten minutes";
                return Err(StoreError::Unavailable(why.into()).into());
            }
        }
        _ => {}
    }
    Ok(())
}

async fn applied(tx: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(tx).has_table(Migrator::TABLE).await? {
        return Ok(Vec::new());
    }
    let versions =
        Query::select().column("version").from(Migrator::TABLE).order_by("version", Order::Asc).take();
    let rows = tx.query_all(&versions).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

impl From<DbErr> for MigrateError {
    fn from(error: DbErr) -> Self {
        Self::Store(error::failed(error))
    }
}
