//! The crates of the workspace: which may depend on which, and which frameworks some must not know.

use std::{collections::BTreeMap, fs};

use toml::{Table, Value};

use crate::{
    assert_none,
    document::{self, Row},
    sources::root,
};

/// Each crate by the name that others give it, with the crates of ours that it may depend on. ARCHITECTURE.md has the same table.
/// Tests may depend on any, so `dev-dependencies` do not count.
const CRATES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("proto", &[]),
    ("migrations", &[]),
    ("client", &["proto"]),
    ("keystile", &["domain", "proto", "migrations"]),
    ("testkit", &["domain", "proto", "keystile"]),
    ("keystile-benchmark", &["domain", "proto", "keystile", "testkit"]),
];

/// The rules are pure: no transport, no database, no runtime. The contract and the schema know nothing of each other.
const MUST_NOT_DEPEND: &[(&str, &[&str])] = &[
    ("domain", &["tonic", "prost", "prost-types", "sea-orm", "tokio", "tokio-util", "async-trait"]),
    ("proto", &["sea-orm", "tokio"]),
    ("migrations", &["tonic", "prost"]),
    ("client", &["sea-orm", "axum"]),
];

#[test]
fn every_dependency_points_down() {
    let crates = workspace();
    let mut faults = Vec::new();
    for (name, dependencies) in &crates {
        let row = CRATES.iter().find(|(row, _)| row == name);
        let allowed = row.unwrap_or_else(|| panic!("{name} is in no table: add it")).1;
        for dependency in dependencies.iter().filter(|it| crates.contains_key(*it)) {
            if !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{name} may not depend on {dependency}"));
            }
        }
        for (_, unknown) in MUST_NOT_DEPEND.iter().filter(|(row, _)| row == name) {
            for dependency in dependencies.iter().filter(|it| unknown.contains(&it.as_str())) {
                faults.push(format!("{name} may not know {dependency}"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn architecture_shows_the_same_crates() {
    let expected: Vec<_> = CRATES.iter().map(|(name, allowed)| Row::new(name, allowed)).collect();
    document::assert_table("crate", &expected);
}

/// Every crate of the workspace, with the names of all its dependencies but those of tests.
fn workspace() -> BTreeMap<String, Vec<String>> {
    let server = manifest(".");
    let workspace = &server["workspace"];
    let folders = workspace["members"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let alias = |folder: &str| {
        let shared = workspace["dependencies"].as_table().unwrap();
        let path = |value: &Value| value.get("path").is_some_and(|path| path.as_str() == Some(folder));
        shared.iter().find(|(_, value)| path(value)).map(|(name, _)| name.clone())
    };
    let mut crates = BTreeMap::from([("keystile".to_owned(), dependencies(&server))]);
    for folder in folders {
        let manifest = manifest(folder);
        let package = manifest["package"]["name"].as_str().unwrap();
        crates.insert(alias(folder).unwrap_or_else(|| package.to_owned()), dependencies(&manifest));
    }
    crates
}

fn manifest(folder: &str) -> Table {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
}

fn dependencies(manifest: &Table) -> Vec<String> {
    let of = |table: &Table| -> Vec<String> {
        ["dependencies", "build-dependencies"]
            .iter()
            .filter_map(|section| table.get(*section)?.as_table())
            .flat_map(|section| section.keys().cloned())
            .collect()
    };
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    of(manifest).into_iter().chain(targets.flat_map(of)).collect()
}

#[test]
fn dependencies_of_all_kinds_but_tests_are_seen() {
    let manifest: Table =
        "[dependencies]\na = '1'\n[build-dependencies]\nb = '1'\n[dev-dependencies]\nc = '1'\n\
                           [target.'cfg(unix)'.dependencies]\nd = '1'"
            .parse()
            .unwrap();
    assert_eq!(dependencies(&manifest), ["a", "b", "d"]);
}
