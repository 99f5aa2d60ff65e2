//! Column types that behave the same on every database: text is compared byte by byte, times are exact.

use sea_orm_migration::{
    SchemaManager,
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

pub(crate) struct Dialect {
    backend: DbBackend,
    /// The collation of MySQL or MariaDB that compares by code point, trailing spaces included.
    collation: &'static str,
}

impl Dialect {
    pub(crate) async fn of(manager: &SchemaManager<'_>) -> Result<Self, DbErr> {
        let backend = manager.get_database_backend();
        let collation = if backend == DbBackend::MySql && !is_mariadb(manager).await? {
            "utf8mb4_0900_bin"
        } else {
            "utf8mb4_nopad_bin"
        };
        Ok(Self { backend, collation })
    }

    pub(crate) fn table(&self, name: &'static str) -> TableCreateStatement {
        let mut table = Table::create().table(name).if_not_exists().take();
        if self.backend == DbBackend::MySql {
            table.engine("InnoDB").character_set("utf8mb4").collate(self.collation);
        }
        table
    }

    /// Up to `most` characters.
    pub(crate) fn text(&self, name: &'static str, most: u32) -> ColumnDef {
        self.bytewise(ColumnDef::new(name).string_len(most).not_null())
    }

    pub(crate) fn optional_text(&self, name: &'static str, most: u32) -> ColumnDef {
        self.bytewise(ColumnDef::new(name).string_len(most).null())
    }

    /// Text of any length, which is never compared.
    pub(crate) fn long_text(&self, name: &'static str) -> ColumnDef {
        self.optional_long_text(name).not_null().take()
    }

    pub(crate) fn optional_long_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.backend {
            DbBackend::MySql => column.custom("mediumtext"),
            _ => column.text(),
        };
        column.take()
    }

    fn bytewise(&self, column: &mut ColumnDef) -> ColumnDef {
        if self.backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column.take()
    }
}

/// Microseconds since the Unix epoch, or any other whole number.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

pub(crate) fn optional_number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

pub(crate) fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

pub(crate) fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

/// 32 bytes, such as a SHA-256 hash.
pub(crate) fn hash(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary_len(32).not_null().take()
}

pub(crate) fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create().primary().take();
    for column in columns {
        key.col(*column);
    }
    key
}

/// `column` refers to a row of `other`; when that row is deleted, so is this one.
pub(crate) fn owned_by(
    name: &'static str,
    (table, column): (&'static str, &'static str),
    other: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, column)
        .to(other, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

/// Adds the column unless it exists.
pub(crate) async fn column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    if manager.has_column(table, name).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).add_column(&mut column).to_owned()).await
}

/// Creates the index unless it exists.
pub(crate) async fn index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    let mut index = Index::create().table(table).name(name).take();
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

async fn is_mariadb(manager: &SchemaManager<'_>) -> Result<bool, DbErr> {
    let version = Statement::from_string(DbBackend::MySql, "SELECT VERSION()");
    let row = manager.get_connection().query_one_raw(version).await?;
    let version: String = row.map_or(Ok(String::new()), |row| row.try_get_by_index(0))?;
    Ok(version.contains("MariaDB"))
}
