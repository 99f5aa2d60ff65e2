//! The floors of the house: every import points down, and the ground knows no framework.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each module with what it may use of ours; ARCHITECTURE shows the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ports", &[]),
    ("verbs", &["ports"]),
    ("store", &["ports"]),
    ("cache", &["ports"]),
    ("recorder", &["ports"]),
    ("grpc", &["verbs", "ports", "telemetry"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("app", &["recorder", "cache", "config", "grpc", "ports", "verbs", "store", "telemetry"]),
    ("cli", &["app", "config", "telemetry"]),
    ("main", &["app", "cli", "config", "telemetry"]),
];

/// Crates that a module must not know, as they are written in paths.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    ("ports", &["tonic", "prost", "prost_types", "sea_orm", "tokio"]),
    // Changes are made in tasks of their own.
    ("verbs", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("store", &["tonic", "prost", "prost_types"]),
    ("recorder", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("cache", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("grpc", &["sea_orm"]),
];

#[test]
fn every_import_points_down() {
    let mut faults = Vec::new();
    for (module, file, text) in sources() {
        let allowed = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("src/{module} stands on no floor: add it to the table"))
            .1;
        let crates: &[&str] = if module == "main" { &["crate::", "keystile::"] } else { &["crate::"] };
        for used in crates.iter().flat_map(|root| roots(&text, root)) {
            if used != module && !allowed.contains(&used.as_str()) {
                faults.push(format!("{}: {module} may not use {used}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_lower_floors_know_no_framework() {
    let mut faults = Vec::new();
    for (module, file, text) in sources() {
        let Some((_, crates)) = MUST_NOT_KNOW.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for name in *crates {
            let path = format!("{name}::");
            let named = text.match_indices(&path).any(|(at, _)| !continues_a_word(&text[..at]));
            if named {
                faults.push(format!("{}: {module} may not know {name}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nobody_climbs_out_of_a_module_by_super() {
    let mut faults = Vec::new();
    for (_, file, text) in sources() {
        // `src/a/b.rs` is two deep, `src/a/mod.rs` one; a module for tests within a file adds one.
        let depth = file.components().count() - 1 - usize::from(file.ends_with("mod.rs"));
        let code = text.split("mod tests {").next().unwrap_or_default();
        let climb = |levels: usize| "super::".repeat(levels);
        if code.contains(&climb(depth)) || text.contains(&climb(depth + 1)) {
            faults.push(format!("{}: leaves its module by super", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (_, file, text) in sources() {
        assert!(text.starts_with("//! "), "{} has no first line", file.display());
    }
}

#[test]
fn the_test_itself_sees_nested_imports() {
    let text = "use crate::{domain::{id, key}, ports};\nlet x = crate::service::Error;";
    let seen: Vec<_> = roots(text, "crate::").into_iter().collect();
    assert_eq!(seen, ["domain", "ports", "service"]);
}

/// Every source file with the module at the top that it belongs to.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(root).unwrap().to_owned();
            let top = file.components().nth(1).unwrap().as_os_str().to_str().unwrap().to_owned();
            (top.trim_end_matches(".rs").to_owned(), file, text)
        })
        .filter(|(module, _, _)| module != "lib")
        .collect()
}

/// The first names after `root`, also within braces: `crate::{a::b, c}` gives a and c.
fn roots(text: &str, root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(root) {
        if continues_a_word(&text[..at]) {
            continue;
        }
        let rest = &text[at + root.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (offset, character) in group.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if character.is_whitespace() => {}
                    _ if start => {
                        names.insert(word(&group[offset..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            names.insert(word(rest));
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}

fn continues_a_word(before: &str) -> bool {
    before.ends_with(|it: char| it.is_alphanumeric() || it == '_' || it == '$')
}
