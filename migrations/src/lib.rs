//! The database schema, as ordered migrations.
//!
//! MySQL commits every statement that changes the schema, so a migration may be interrupted halfway. Each step can
//! therefore be repeated.

mod dialect;
mod m0001_foundation;
mod m0002_cheaper_uses;
mod m0003_lifecycle;
mod m0004_known_peppers;
mod m0005_access;
mod m0006_upgrades;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

pub use sea_orm_migration::{MigratorTrait as Migrate, SchemaManager};

#[derive(Debug)]
pub struct Migrator;

impl Migrator {
    /// The table of applied migrations.
    pub const TABLE: &'static str = "seaql_migrations";

    /// The names of the migrations that this binary knows, oldest first.
    pub fn known() -> Vec<String> {
        Self::migrations().iter().map(|migration| migration.name().to_owned()).collect()
    }
}

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::Migration),
            Box::new(m0002_cheaper_uses::Migration),
            Box::new(m0003_lifecycle::Migration),
            Box::new(m0004_known_peppers::Migration),
            Box::new(m0005_access::Migration),
            Box::new(m0006_upgrades::Migration),
        ]
    }
}
