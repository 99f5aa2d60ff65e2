//! The server's floors: a module imports only what is below it, and the lower ones know no framework.

use crate::{
    assert_none,
    document::{self, Row},
    paths::paths,
    server,
};

/// Each module with what it may use of ours, crates included; ARCHITECTURE.md has the same table. The name of a module includes
/// all below it that has no line of its own.
const FLOORS: &[(&str, &[&str])] = &[
    ("ports", &["domain"]),
    ("verbs", &["domain", "ports"]),
    ("store", &["domain", "ports", "migrations"]),
    ("cache", &["domain", "ports", "schedule", "telemetry"]),
    ("recorder", &["domain", "ports", "schedule", "telemetry"]),
    ("grpc::wire", &["domain", "ports", "verbs", "telemetry", "proto"]),
    ("grpc::transport", &["domain", "ports", "verbs", "schedule", "telemetry", "proto", "grpc::wire"]),
    ("grpc::api", &["domain", "ports", "verbs", "schedule", "proto", "grpc::wire", "grpc::transport"]),
    ("grpc::server", &["ports", "verbs", "telemetry", "proto", "grpc::wire", "grpc::transport", "grpc::api"]),
    ("grpc", &["grpc::wire", "grpc::transport", "grpc::api", "grpc::server"]),
    (
        "app",
        &[
            "domain",
            "ports",
            "verbs",
            "store",
            "cache",
            "recorder",
            "grpc",
            "config",
            "schedule",
            "telemetry",
        ],
    ),
    ("cli", &["app", "config", "telemetry"]),
    ("main", &["app", "cli", "config", "telemetry"]),
    ("config", &[]),
    ("schedule", &[]),
    ("telemetry", &[]),
];

/// Our crates, as they are written in paths; a path of another crate is none of this table's business.
const CRATES: &[&str] = &["domain", "proto", "migrations"];

/// Crates that a module must not know, as they are written in paths.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    ("ports", &["tonic", "prost", "prost_types", "sea_orm", "tokio", "tokio_util"]),
    // Changes are made in tasks of their own, so it knows tokio.
    ("verbs", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("store", &["tonic", "prost", "prost_types"]),
    ("recorder", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("cache", &["tonic", "prost", "prost_types", "sea_orm"]),
    ("grpc", &["sea_orm"]),
];

#[test]
fn every_import_points_down() {
    let mut faults = Vec::new();
    for source in server().iter().filter(|source| !source.module.is_empty()) {
        let file = source.file.display();
        let floor = floor(&source.module)
            .unwrap_or_else(|| panic!("{file} is on no floor: add its module to the table"));
        let allowed = FLOORS.iter().find(|(name, _)| *name == floor).unwrap().1;
        for path in paths(&source.code) {
            let Some(used) = used(&source.module, &path.segments) else { continue };
            if used != floor && !allowed.contains(&used) {
                faults.push(format!("{file}: {floor} may not use {used} ({})", path.segments.join("::")));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_lower_floors_know_no_framework() {
    let mut faults = Vec::new();
    for source in server() {
        let top = source.module.first().map(String::as_str);
        let Some((module, unknown)) = MUST_NOT_KNOW.iter().find(|(name, _)| Some(*name) == top) else {
            continue;
        };
        for path in paths(&source.code) {
            if unknown.contains(&path.segments[0].as_str()) {
                faults.push(format!("{}: {module} may not know {}", source.file.display(), path.segments[0]));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn architecture_shows_the_same_floors() {
    let expected: Vec<_> = FLOORS.iter().map(|(module, allowed)| Row::new(module, allowed)).collect();
    document::assert_table("module", &expected);
}

/// The floor or crate of ours that `path` names within `module`, if any.
fn used(module: &[String], path: &[String]) -> Option<&'static str> {
    let first = path[0].as_str();
    if let Some(name) = CRATES.iter().find(|name| **name == first) {
        return Some(name);
    }
    let absolute = match first {
        // `main` is a crate of its own.
        "crate" | "keystile" => path[1..].to_vec(),
        "super" => {
            let climbs = path.iter().take_while(|segment| *segment == "super").count();
            let place = &module[..module.len().checked_sub(climbs)?];
            place.iter().chain(&path[climbs..]).cloned().collect()
        }
        _ => return None,
    };
    floor(&absolute)
}

/// The most particular floor that has this module.
fn floor(module: &[String]) -> Option<&'static str> {
    let mut floors: Vec<_> = FLOORS.iter().map(|(name, _)| *name).collect();
    floors.sort_by_key(|name| std::cmp::Reverse(name.len()));
    floors.into_iter().find(|name| {
        let segments: Vec<_> = name.split("::").collect();
        module.len() >= segments.len() && module.iter().zip(&segments).all(|(own, of)| own == of)
    })
}

#[test]
fn the_floor_of_a_path_is_the_most_particular() {
    let module = ["grpc", "wire", "status"].map(str::to_owned);
    let used = |path: &str| used(&module, &path.split("::").map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(used("crate::grpc::api::call::Change"), Some("grpc::api"));
    assert_eq!(used("crate::grpc::Health"), Some("grpc"));
    assert_eq!(used("super::super::transport::Peer"), Some("grpc::transport"));
    assert_eq!(used("super::faults::Faults"), Some("grpc::wire"));
    assert_eq!(used("domain::key::Key"), Some("domain"));
    assert_eq!(used("std::fmt::Debug"), None);
}
