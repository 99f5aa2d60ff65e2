//! The sources of peppers; no fault contains one.

use super::*;

#[test]
fn a_server_needs_peppers() {
    let fault = fault(&[("KEYSTILE_DATABASE_URL", "postgres://ann:hunter2@db/keys")]);
    assert!(fault.starts_with("KEYSTILE_PEPPERS: is needed with a database server"), "{fault}");
    assert!(fault.contains("`echo \"1:$(openssl rand -base64 32)\"`"), "{fault}");
}

#[test]
fn wrong_peppers_are_never_quoted() {
    let message = fault(&[("KEYSTILE_PEPPERS", &PEPPER[2..])]);
    assert_eq!(message, "KEYSTILE_PEPPERS: entry 1 has no colon: write `version:base64`");
    let message = fault(&[("KEYSTILE_PEPPERS", &format!("{PEPPER},{PEPPER}"))]);
    assert_eq!(message, "KEYSTILE_PEPPERS: entry 2 repeats version 1: give each pepper a version of its own");
}

#[test]
fn peppers_may_be_in_a_private_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("peppers");
    let name = path.to_str().expect("a path");
    let variables = [("KEYSTILE_PEPPERS_FILE", name)];
    assert!(fault(&variables).starts_with(&format!("KEYSTILE_PEPPERS_FILE: {name} cannot be opened: ")));

    fs::write(&path, format!("{PEPPER}\n")).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
    let exposed = format!("{name} may be opened by others (mode 644): run `chmod 600 {name}`");
    assert_eq!(fault(&variables), format!("KEYSTILE_PEPPERS_FILE: {exposed}"));

    fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("mode");
    let config = load(&variables).expect("settings");
    assert_eq!(config.peppers, PepperSource::Given(parse_peppers(PEPPER).expect("a pepper")));
    assert_eq!(
        fault(&[variables[0], ("KEYSTILE_PEPPERS", PEPPER)]),
        "KEYSTILE_PEPPERS_FILE: is set in addition to KEYSTILE_PEPPERS: keep one of them"
    );
}

#[test]
fn a_file_with_peppers_must_be_private_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keystile.toml");
    fs::write(&path, format!("peppers = {PEPPER:?}")).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
    let message = fault(&[("KEYSTILE_CONFIG", path.to_str().expect("a path"))]);
    assert!(message.contains("may be opened by others (mode 644)") && !message.contains(SECRET), "{message}");
}
