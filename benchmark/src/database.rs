//! Databases of the benchmark, dropped when it ends.

use std::thread;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::Fallible;

pub(crate) struct Database {
    /// In the form of KEYSTILE_DATABASE_URL.
    pub(crate) url: String,
    place: Place,
}

enum Place {
    Directory { _directory: TempDir },
    Server { url: String, name: String },
}

impl Database {
    pub(crate) fn sqlite() -> Fallible<Self> {
        let directory = TempDir::new()?;
        Ok(Self {
            url: format!("sqlite://{}", directory.path().join("keystile.db").display()),
            place: Place::Directory { _directory: directory },
        })
    }

    /// A new database on the server at `url`.
    pub(crate) async fn postgres(url: &str) -> Fallible<Self> {
        // The name of a temporary directory is unique.
        let name = TempDir::new()?.path().display().to_string();
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("keystile_bench_{}", name.to_lowercase());
        on_server(url, &format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        let (address, parameters) = url.split_once('?').unwrap_or((url, "sslmode=disable"));
        let (server, _) = address.rsplit_once('/').ok_or("the URL names a database")?;
        Ok(Self {
            url: format!("{server}/{name}?{parameters}"),
            place: Place::Server { url: url.to_owned(), name },
        })
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        connect(&self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { url, name } = &self.place else {
            return;
        };
        let (url, drop) = (url.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // In a thread, because this one is inside a runtime.
        let dropped = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.is_ok_and(|runtime| runtime.block_on(on_server(&url, &drop)).is_ok())
        })
        .join();
        if !dropped.unwrap_or(false) {
            eprintln!("the database {name} was left behind");
        }
    }
}

async fn on_server(url: &str, sql: &str) -> Result<(), DbErr> {
    let server = connect(url).await?;
    let outcome = server.execute_unprepared(sql).await;
    server.close().await?;
    outcome.map(drop)
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await
}
