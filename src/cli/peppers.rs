//! `keystile peppers`: how many stored secrets need each pepper, and which peppers can be removed.

use std::fmt::Write;

use crate::{
    app::{self, PepperUsage, World},
    config::Config,
};

use super::{Failure, print};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let usage = app::pepper_usage(config, World::system()).await?;
    Ok(print(&format!("{}\n{}", table(&usage), hints(&usage)))?)
}

fn table(usage: &[PepperUsage]) -> String {
    let mut text = "VERSION   SECRETS  STATUS\n".to_owned();
    for (index, it) in usage.iter().enumerate() {
        let status = match (index, it.configured) {
            (_, false) => "MISSING",
            (_, true) if it.different => "DIFFERENT",
            (0, true) => "newest",
            (_, true) => "configured",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>7} {:>9}  {status}", it.version, it.secrets);
    }
    text
}

fn hints(usage: &[PepperUsage]) -> String {
    let different: Vec<_> = usage.iter().filter(|it| it.different).collect();
    let older = usage.iter().skip(1).filter(|it| it.configured && !it.different);
    let (idle, needed): (Vec<_>, Vec<_>) = older.partition(|it| it.secrets == 0);
    let missing: Vec<_> = usage.iter().filter(|it| !it.configured).collect();
    let mut text = String::new();
    for (peppers, hint) in [
        (
            &different,
            "DIFFERENT: the database was first used with another pepper under this version; configure that one",
        ),
        (&missing, "MISSING: API keys under it cannot be verified; add it after the newest"),
        (&needed, "still needed; a secret moves to the newest pepper when it is next verified"),
        (&idle, "can be removed once every replica has the newest"),
    ] {
        for it in peppers {
            let _ = writeln!(text, "pepper {}: {hint}", it.version);
        }
    }
    if text.is_empty() {
        text.push_str("the newest pepper is the only one: none can be removed\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(version: u16, secrets: u64, configured: bool) -> PepperUsage {
        PepperUsage { version, secrets, configured, different: false }
    }

    #[test]
    fn the_table_is_aligned() {
        let usage = [usage(12, 1_234_567, true), usage(2, 8, true), usage(1, 1, false)];
        assert_eq!(
            table(&usage),
            "VERSION   SECRETS  STATUS\n     12   1234567  newest\n      2         8  configured\n      1         1  MISSING\n"
        );
    }

    #[test]
    fn each_pepper_has_a_hint() {
        assert_eq!(hints(&[usage(1, 5, true)]), "the newest pepper is the only one: none can be removed\n");
        let all = [usage(4, 0, true), usage(3, 7, true), usage(2, 0, true), usage(1, 1, false)];
        let hints = hints(&all);
        let lines: Vec<_> = hints.lines().collect();
        assert!(lines[0].starts_with("pepper 1: MISSING"), "{hints}");
        assert!(lines[1].starts_with("pepper 3: still needed"), "{hints}");
        assert!(lines[2].starts_with("pepper 2: can be removed"), "{hints}");
        assert_eq!(lines.len(), 3);
        let wrong = [PepperUsage { different: true, ..usage(1, 7, true) }];
        assert!(super::hints(&wrong).starts_with("pepper 1: DIFFERENT: "));
        assert!(table(&wrong).ends_with("      1         7  DIFFERENT\n"));
    }
}
