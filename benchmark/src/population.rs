//! Millions of keys: copies of one that was created over the API, written directly into the tables.

use std::{fmt::Write, ops::Range};

use domain::token::{ApiKey, Token};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::{Fallible, database::Database, keys::Keys};

/// How many keys one statement writes.
const PORTION: u64 = 20_000;

/// From this number on, indexes that only listings use are dropped and foreign keys are not
/// checked, to save time.
const MANY: u64 = 2_000_000;

/// The indexes that verifications, a start and housekeeping use.
const NEEDED: [&str; 2] = ["keys_by_purge_time", "secrets_by_pepper_version"];

/// Copies the key of `api_key` to all `numbers`, each with an id and a secret of its own.
pub(crate) async fn load(database: &Database, api_key: &str, numbers: Range<u64>) -> Fallible<()> {
    let keys = Keys::like(api_key);
    let model = Token::parse(&ApiKey::new(api_key.to_owned()))?.id;
    let model = model.as_uuid().simple().to_string();
    let db = database.connect().await?;
    let postgres = db.get_database_backend() == DbBackend::Postgres;
    if !postgres {
        db.execute_unprepared("PRAGMA synchronous = OFF").await?;
    }
    if numbers.end - numbers.start >= MANY {
        lighten(&db, postgres).await?;
    }
    let mut copies = Vec::new();
    for (table, key) in [("keys", "id"), ("secrets", "key_id"), ("key_terms", "key_id")] {
        copies.push(copy(&db, postgres, (table, key), &model).await?);
    }
    let mut start = numbers.start;
    while start < numbers.end {
        let end = numbers.end.min(start + PORTION);
        let portion = json(&keys, start..end);
        for sql in &copies {
            let values = [portion.clone().into()];
            let backend = db.get_database_backend();
            db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        start = end;
    }
    if postgres {
        // So that the database does not write the loaded rows to disk during a measurement.
        db.execute_unprepared("VACUUM ANALYZE").await?;
        db.execute_unprepared("CHECKPOINT").await?;
    }
    db.close().await?;
    Ok(())
}

/// The statement that copies the rows of the key `model` in `table` to each id in a list.
async fn copy(
    db: &DatabaseConnection,
    postgres: bool,
    (table, key): (&str, &str),
    model: &str,
) -> Result<String, DbErr> {
    let columns = if postgres {
        format!("SELECT column_name AS name FROM information_schema.columns WHERE table_name = '{table}'")
    } else {
        format!("SELECT name FROM pragma_table_info('{table}')")
    };
    let columns = names(db, columns).await?;
    let values: Vec<_> = columns
        .iter()
        .map(|column| match (column.as_str(), postgres) {
            (column, true) if column == key => "(n.value ->> 0)::uuid".to_owned(),
            ("digest", true) => "decode(n.value ->> 1, 'hex')".to_owned(),
            (column, false) if column == key => "unhex(n.value ->> 0)".to_owned(),
            ("digest", false) => "unhex(n.value ->> 1)".to_owned(),
            (column, _) => format!("t.{column}"),
        })
        .collect();
    let (values, columns) = (values.join(", "), columns.join(", "));
    let (list, model) = if postgres {
        ("json_array_elements($1::json) AS n(value)", format!("'{model}'::uuid"))
    } else {
        ("json_each(?1) AS n", format!("x'{model}'"))
    };
    Ok(format!(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, {list} WHERE t.{key} = {model}"
    ))
}

async fn lighten(db: &DatabaseConnection, postgres: bool) -> Result<(), DbErr> {
    let indexes = if postgres {
        db.execute_unprepared("SET session_replication_role = replica").await?;
        "SELECT indexname AS name FROM pg_indexes WHERE tablename IN ('keys', 'secrets', 'key_terms') \
         AND indexname NOT LIKE '%_pkey'"
    } else {
        db.execute_unprepared("PRAGMA foreign_keys = OFF").await?;
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
         AND tbl_name IN ('keys', 'secrets', 'key_terms')"
    };
    for index in names(db, indexes.to_owned()).await? {
        if NEEDED.contains(&index.as_str()) {
            continue;
        }
        db.execute_unprepared(&format!("DROP INDEX {index}")).await?;
    }
    Ok(())
}

async fn names(db: &DatabaseConnection, sql: String) -> Result<Vec<String>, DbErr> {
    let query = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(query).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// `[[id, digest], …]`, both in hexadecimal digits.
fn json(keys: &Keys, numbers: Range<u64>) -> String {
    let mut json = String::from("[");
    for number in numbers {
        let separator = if json.len() > 1 { "," } else { "" };
        let id = keys.id(number).as_uuid().simple();
        write!(json, "{separator}[\"{id}\",\"").expect("a String accepts all writes");
        for byte in keys.digest(number).as_bytes() {
            write!(json, "{byte:02x}").expect("a String accepts all writes");
        }
        json.push_str("\"]");
    }
    json.push(']');
    json
}
