//! The structure of the code: which crate and which module may use which, as ARCHITECTURE.md's tables say, and no circles.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod circles;
mod crates;
mod document;
mod floors;
mod paths;
mod sources;

use sources::{Source, sources};

/// Fails with every fault, one a line.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every source file of the server.
fn server() -> Vec<Source> {
    sources("src".as_ref())
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let all = sources::crates().into_iter().flat_map(|folder| sources(&folder));
    let faults: Vec<_> = all
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{} has no first line", source.file.display()))
        .collect();
    assert_none(&faults);
}

#[test]
fn no_file_leaves_its_module_by_super() {
    let mut faults = Vec::new();
    for source in server() {
        // `src/a/b.rs` is two deep, `src/a/mod.rs` one; a module for tests within a file adds one.
        let depth = source.file.components().count() - 1 - usize::from(source.file.ends_with("mod.rs"));
        let climb = |levels: usize| "super::".repeat(levels);
        if source.without_tests().contains(&climb(depth)) || source.code.contains(&climb(depth + 1)) {
            faults.push(format!("{}: leaves its module by super", source.file.display()));
        }
    }
    assert_none(&faults);
}
