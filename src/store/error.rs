//! What the database says when it fails, sorted by what can be done, without the values of any row.

use sea_orm::{
    DbErr, RuntimeErr, SqlxError, SqlxMySqlError, SqlxPostgresError, SqlxSqliteError,
    sqlx::error::DatabaseError,
};

use crate::ports::StoreError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another transaction came in between; nothing was done, and a repeat may go through.
    Contended,
    /// A row of this key is there already.
    Duplicate,
    /// The database does not answer, or takes no more for now.
    Unavailable,
    /// The statement took too long, or was cancelled.
    BrokenOff,
    Broken,
}

pub(super) fn failed(error: DbErr) -> StoreError {
    match kind(&error) {
        Kind::Contended | Kind::Unavailable => StoreError::Unavailable(describe(&error)),
        Kind::BrokenOff => StoreError::TooSlow(describe(&error)),
        Kind::Duplicate | Kind::Broken => StoreError::Broken(describe(&error)),
    }
}

pub(super) fn kind(error: &DbErr) -> Kind {
    match error {
        DbErr::ConnectionAcquire(_) => Kind::Unavailable,
        other => from_driver(other).map_or(Kind::Broken, sqlx_kind),
    }
}

/// Whether the database said so itself, so that the connection may still be good.
pub(super) fn is_answer(error: &DbErr) -> bool {
    matches!(from_driver(error), Some(SqlxError::Database(_)))
}

/// Whether a COMMIT that fails like this has rolled back: SQLite does so by itself when the disk is full.
/// (After a failed sync it does as well, but what it wrote before may still come back after a crash.)
pub(super) fn undoes(error: &DbErr) -> bool {
    match from_driver(error) {
        Some(SqlxError::Database(answer)) if answer.try_downcast_ref::<SqlxSqliteError>().is_some() => {
            sqlite_code(&answer.code().unwrap_or_default()) == FULL
        }
        _ => false,
    }
}

fn from_driver(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

pub(super) fn sqlx_kind(error: &SqlxError) -> Kind {
    match error {
        SqlxError::Database(error) => answer_kind(error.as_ref()),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        // What a proxy without a server behind it sends is no PostgreSQL.
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        | SqlxError::BeginFailed => Kind::Unavailable,
        _ => Kind::Broken,
    }
}

/// The error as text for the log.
pub(super) fn describe(error: &DbErr) -> String {
    from_driver(error).map_or_else(|| error.to_string(), describe_sqlx)
}

/// Servers quote the offending value when they refuse one ("Duplicate entry 'x' for key"), so only the code
/// of an error about a row is kept.
pub(super) fn describe_sqlx(error: &SqlxError) -> String {
    let SqlxError::Database(answer) = error else {
        return error.to_string();
    };
    let code = answer.code().unwrap_or_default();
    match answer_kind(answer.as_ref()) {
        Kind::Duplicate => format!("a row with this key already exists ({code})"),
        Kind::Broken if quotes_values(answer.as_ref(), &code) => {
            format!("the database rejected a value ({code})")
        }
        _ => format!("{} ({code})", answer.message()),
    }
}

fn quotes_values(answer: &(dyn DatabaseError + 'static), sqlstate: &str) -> bool {
    // Classes 22 and 23 are faults of values; HY000 is where MySQL puts what it found no class for.
    answer.try_downcast_ref::<SqlxSqliteError>().is_none()
        && ["22", "23", "HY"].iter().any(|class| sqlstate.starts_with(class))
}

fn answer_kind(answer: &(dyn DatabaseError + 'static)) -> Kind {
    if answer.is_unique_violation() {
        return Kind::Duplicate;
    }
    let code = answer.code().unwrap_or_default();
    if answer.try_downcast_ref::<SqlxPostgresError>().is_some() {
        postgres_kind(&code)
    } else if let Some(error) = answer.try_downcast_ref::<SqlxMySqlError>() {
        mysql_kind(error.number())
    } else {
        sqlite_kind(sqlite_code(&code))
    }
}

fn postgres_kind(sqlstate: &str) -> Kind {
    match sqlstate {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Kind::Contended,
        // query_canceled
        "57014" => Kind::BrokenOff,
        // lock_not_available, a database that accepts no connections for now, read_only_sql_transaction (a standby)
        "55P03" | "55000" | "25006" => Kind::Unavailable,
        // connection_exception, insufficient_resources, operator_intervention, system_error
        _ if ["08", "53", "57", "58"].iter().any(|class| sqlstate.starts_with(class)) => Kind::Unavailable,
        _ => Kind::Broken,
    }
}

fn mysql_kind(number: u16) -> Kind {
    match number {
        // ER_LOCK_DEADLOCK, ER_CHECKREAD
        1213 | 1020 => Kind::Contended,
        // ER_QUERY_INTERRUPTED, ER_STATEMENT_TIMEOUT (MariaDB), ER_QUERY_TIMEOUT (MySQL)
        1317 | 1969 | 3024 => Kind::BrokenOff,
        // Too many connections, disk full, shutting down, lock wait timeout, read only, killed
        1040 | 1021 | 1053 | 1114 | 1203 | 1205 | 1290 | 1792 | 1836 | 1927 => Kind::Unavailable,
        _ => Kind::Broken,
    }
}

/// SQLite's SQLITE_FULL.
const FULL: i32 = 13;

/// The primary result code in the extended one.
fn sqlite_code(extended: &str) -> i32 {
    extended.parse().unwrap_or(0) & 0xff
}

fn sqlite_kind(code: i32) -> Kind {
    match code {
        // INTERRUPT
        9 => Kind::BrokenOff,
        // BUSY, LOCKED, IOERR, CANTOPEN
        5 | 6 | 10 | FULL | 14 => Kind::Unavailable,
        _ => Kind::Broken,
    }
}
