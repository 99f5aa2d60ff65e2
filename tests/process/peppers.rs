//! Peppers through the life of a server: rotation while keys verify, and peppers that are missing.

use std::fs;

use proto::Code;
use testkit::database::{Database, Kind};

use crate::home::{Home, Serving, pepper};

#[tokio::test]
async fn a_pepper_can_be_removed_once_every_secret_has_moved() {
    let one = pepper(1);
    let both = format!("{},{one}", pepper(2));
    let home = Home::embedded().with("KEYSTILE_PEPPERS", &one);
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await; // its system key's secret is never verified
    let mut keys = Vec::new();
    for number in 0..4 {
        keys.push(caller.create_key(&format!("key {number}")).await);
    }
    serving.stop().await;
    let table = home.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("1", "6", "newest")], "{table}");
    assert!(table.contains("none can be removed"), "{table}");

    let home = home.with("KEYSTILE_PEPPERS", &both);
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    for (_, api_key) in &keys[..2] {
        assert_eq!(caller.code(api_key).await, Code::Valid);
    }
    serving.stop().await;
    // The root key was used, so its secret moved too.
    let table = home.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("2", "3", "newest"), ("1", "3", "configured")], "{table}");
    assert!(table.contains("pepper 1: still needed"), "{table}");

    let early = home.with("KEYSTILE_PEPPERS", &pepper(2));
    early
        .run(&[])
        .await
        .with_code(78)
        .with_stderr("KEYSTILE_PEPPERS: version 1 (3 secrets) is not configured")
        .with_stderr("add it behind the newest one");
    let table = early.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("2", "3", "newest"), ("1", "3", "MISSING")], "{table}");

    let home = early.with("KEYSTILE_PEPPERS", &both);
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    for (_, api_key) in &keys {
        assert_eq!(caller.code(api_key).await, Code::Valid);
    }
    caller.rotate(&caller.system_key().await).await;
    serving.stop().await;
    let table = home.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("2", "6", "newest"), ("1", "0", "configured")], "{table}");
    assert!(table.contains("pepper 1: can be removed"), "{table}");

    let home = home.with("KEYSTILE_PEPPERS", &pepper(2));
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    for (_, api_key) in &keys {
        assert_eq!(caller.code(api_key).await, Code::Valid);
    }
    serving.stop().await;
}

#[tokio::test]
async fn a_revoked_key_needs_its_pepper_until_it_is_purged() {
    let both = format!("{},{}", pepper(2), pepper(1));
    let home = Home::embedded().with("KEYSTILE_PEPPERS", &pepper(1));
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    caller.rotate(&caller.system_key().await).await;
    let (key, api_key) = caller.create_key("revoked").await;
    caller.revoke(&key.name).await;
    assert_eq!(caller.code(&api_key).await, Code::Revoked);
    serving.stop().await;

    let home = home.with("KEYSTILE_PEPPERS", &both);
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    caller.rotate(&caller.system_key().await).await;
    assert_eq!(
        caller.code(&api_key).await,
        Code::Revoked,
        "a revoked key does not verify, so its secret does not move"
    );
    serving.stop().await;
    let early = home.with("KEYSTILE_PEPPERS", &pepper(2));
    early.run(&[]).await.with_code(78).with_stderr("version 1 (1 secret) is not configured");

    let home = early.with("KEYSTILE_PEPPERS", &both);
    let serving = home.serve().await;
    serving.caller(&root).purge(&key.name).await;
    serving.stop().await;
    let home = home.with("KEYSTILE_PEPPERS", &pepper(2));
    let serving = home.serve().await;
    assert_eq!(serving.caller(&root).code(&api_key).await, Code::NotFound);
    serving.stop().await;
}

#[tokio::test]
async fn the_pepper_file_is_generated_only_once_for_a_database() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.stop().await;
    let file = home.data().join("peppers");
    let backup = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    home.run(&[])
        .await
        .with_code(78)
        .with_stderr("peppers is missing, but stored secrets (1)")
        .with_stderr("need the pepper in it")
        .with_stderr("restore it from a backup, with mode 600");
    assert!(!file.exists());

    // Restored, but readable by all.
    fs::write(&file, &backup).unwrap();
    chmod(&file, 0o644);
    home.run(&[]).await.with_code(78).with_stderr("may be opened by others (mode 644)");
    chmod(&file, 0o600);
    let serving = home.serve().await;
    serving.caller(&root).create_project().await;
    serving.stop().await;
}

fn chmod(file: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// Version, number and status of each pepper in the table.
fn rows(table: &str) -> Vec<(&str, &str, &str)> {
    let mut rows = Vec::new();
    for line in table.lines().skip(1).take_while(|line| !line.is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [version, secrets, status] = words[..] else {
            panic!("{line:?} is no row");
        };
        rows.push((version, secrets, status));
    }
    rows
}

/// With another pepper under a known version, no API key would verify on that replica.
#[tokio::test]
async fn another_pepper_under_a_known_version_is_refused() {
    let other = pepper(9).replace("9:", "1:");
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database).with("KEYSTILE_PEPPERS", &pepper(1));
    let serving = home.serve().await;
    let known = serving.process.wait_for_line("recorded the pepper of this version").await;
    assert!(known.contains(r#""pepper.version":1"#), "{known}");
    let root = serving.root().await;

    let replica = Home::on(&database).with("KEYSTILE_PEPPERS", &other);
    let refused = replica.run(&[]).await.with_code(78);
    let refused = refused.with_stderr(
        "KEYSTILE_PEPPERS: the pepper of version 1 is not the one that this database was first used with",
    );
    refused.with_stderr("give a new pepper a new version");
    replica.run(&["root-key"]).await.with_code(78).with_stderr("the pepper of version 1");
    let table = replica.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("1", "1", "DIFFERENT")], "{table}");
    assert!(table.contains("pepper 1: DIFFERENT"), "{table}");
    // A correct pepper does not make up for a wrong one.
    let both = replica.with("KEYSTILE_PEPPERS", &format!("{},{other}", pepper(2)));
    both.run(&[]).await.with_code(78).with_stderr("the pepper of version 1");
    let table = home.run(&["peppers"]).await.with_code(0).stdout;
    assert_eq!(rows(&table), [("1", "1", "newest")], "{table}");
    serving.stop().await;

    // As a database from before this check, without a check value.
    database.execute("DELETE FROM peppers").await;
    let serving = home.serve().await;
    serving.process.wait_for_line("recorded the pepper of this version").await;
    serving.caller(&root).create_project().await;
    serving.stop().await;
    let serving = home.serve().await;
    assert_eq!(serving.caller(&root).code(&root).await, Code::Valid);
    let ended = serving.stop().await;
    assert!(!ended.stderr.contains("recorded the pepper"), "{ended:#?}");
}

#[tokio::test]
async fn of_two_first_starts_with_different_peppers_one_wins() {
    let database = Database::empty(Kind::MySql).await;
    let starts = [pepper(1), pepper(9).replace("9:", "1:")].map(|pepper| {
        let home = Home::on(&database).with("KEYSTILE_PEPPERS", &pepper);
        let process = home.spawn(&[]);
        (home, process)
    });
    let [(_first_home, first), (_second_home, second)] = starts;
    // Both log the outcome for their pepper.
    let first_wins = first.wait_for_line("the pepper ").await.contains("recorded the pepper");
    let (winner, loser) = if first_wins { (first, second) } else { (second, first) };
    loser.ended().await.with_code(78).with_stderr("the pepper of version 1");
    Serving::of(winner).await.stop().await;
}
