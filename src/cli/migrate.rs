//! `keystile migrate`: migrates the database's schema.

use crate::{app, config::Config};

use super::{Failure, print};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let applied = app::migrate(config).await?;
    Ok(print(&report(&applied))?)
}

fn report(applied: &[String]) -> String {
    if applied.is_empty() {
        return "the database is up to date\n".to_owned();
    }
    applied.iter().map(|name| format!("applied {name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrate_prints_what_it_did() {
        assert_eq!(report(&[]), "the database is up to date\n");
        assert_eq!(report(&["a".to_owned(), "b".to_owned()]), "applied a\napplied b\n");
    }
}
