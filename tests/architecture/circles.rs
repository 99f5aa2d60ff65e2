//! No two files import each other, not even by way of others.
//!
//! A file depends on the file that defines what it imports; an import of what a `mod.rs` re-exports depends on the child that
//! defines it. A `mod.rs` does not depend on the files below it, which are parts of it. The ORM requires that the rows of two
//! related tables name each other, so files that define one are exempt.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{
    assert_none,
    paths::{Kind, Written, paths},
    sources::{Source, crates, sources},
};

type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for folder in crates() {
        circles.extend(circles_of(&graph(&sources(&folder))));
    }
    let faults: Vec<_> =
        circles.iter().map(|files| format!("a circle of files: {}", files.join(" "))).collect();
    assert_none(&faults);
}

/// Every file, with the files of the same crate that it depends on.
fn graph(sources: &[Source]) -> Graph {
    let tree = Tree::of(sources);
    let mut graph = Graph::new();
    for module in tree.0.values() {
        let edges = graph.entry(module.file.clone()).or_default();
        for path in &module.paths {
            let Some(target) = tree.resolve(&module.name, &path.segments, 0) else { continue };
            let is_part = target.name.starts_with(&module.name);
            let is_relation = module.is_row && target.is_row;
            if !is_part && !is_relation {
                edges.insert(target.file.clone());
            }
        }
    }
    graph
}

/// The modules of one crate.
struct Tree(BTreeMap<Vec<String>, Module>);

struct Module {
    name: Vec<String>,
    file: String,
    /// It defines a table of the ORM.
    is_row: bool,
    paths: Vec<Written>,
}

impl Tree {
    fn of(sources: &[Source]) -> Self {
        let is_code = |source: &&Source| !is_test(&source.file) && source.file != Path::new("src/main.rs");
        let modules = sources.iter().filter(is_code).map(|source| {
            let module = Module {
                name: source.module.clone(),
                file: source.file.display().to_string(),
                is_row: source.code.contains("DeriveEntityModel"),
                paths: paths(source.without_tests()),
            };
            (source.module.clone(), module)
        });
        Self(modules.collect())
    }

    /// The module that holds what `path` names within the module `from`; `None` for what is not of this crate.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<&Module> {
        let mut place = from.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                while rest.first().is_some_and(|it| it == "super") {
                    place.pop()?;
                    rest = &rest[1..];
                }
                return self.descend(place, rest, depth);
            }
            child => {
                place.push(child.to_owned());
                self.0.get(&place)?;
            }
        }
        rest = &rest[1..];
        self.descend(place, rest, depth)
    }

    fn descend(&self, mut place: Vec<String>, mut rest: &[String], depth: usize) -> Option<&Module> {
        while let [next, others @ ..] = rest {
            place.push(next.clone());
            if !self.0.contains_key(&place) {
                place.pop();
                break;
            }
            rest = others;
        }
        let module = self.0.get(&place)?;
        let Some(item) = rest.first().filter(|_| depth < 8) else { return Some(module) };
        let imported = module.paths.iter().filter(|path| path.kind != Kind::Inline);
        let mut sources = imported.filter(|path| path.segments.last() == Some(item));
        match sources.next() {
            Some(path) => self.resolve(&place, &path.segments, depth + 1),
            None => Some(module),
        }
    }
}

fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// Every set of files of which each depends on every other, directly or not.
fn circles_of(graph: &Graph) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|file| (file, reached_from(graph, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, reaches) in &reached {
        let circle: Vec<String> = reaches
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reached_from<'a>(graph: &'a Graph, file: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![file];
    while let Some(next) = waiting.pop() {
        for target in graph.get(next).into_iter().flatten() {
            if reached.insert(target) {
                waiting.push(target);
            }
        }
    }
    reached
}

fn made_up(edges: &[(&str, &str)]) -> Graph {
    let mut graph = Graph::new();
    for (from, to) in edges {
        graph.entry((*to).to_owned()).or_default();
        graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
    }
    graph
}

#[test]
fn circles_are_found_however_long_and_only_circles() {
    let graph =
        made_up(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("f", "g"), ("g", "f")]);
    assert_eq!(circles_of(&graph), [vec!["a", "b", "c"], vec!["f", "g"]]);
    assert!(circles_of(&made_up(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])).is_empty());
}

#[test]
fn an_import_depends_on_the_file_that_defines_the_item() {
    let source = |file: &str, module: &[&str], code: &str| Source {
        file: file.into(),
        module: module.iter().map(|it| (*it).to_owned()).collect(),
        text: String::new(),
        code: code.to_owned(),
    };
    let graph = graph(&[
        source("lib.rs", &[], "mod a; mod b;"),
        source("a/mod.rs", &["a"], "mod c; pub use c::C; struct A; fn f() { c::g() }"),
        source("a/c.rs", &["a", "c"], "use crate::b::B;"),
        source("b.rs", &["b"], "use crate::a::{A, C}; fn f() { super::a::c::g() }"),
    ]);
    assert_eq!(
        graph,
        made_up(&[("a/c.rs", "b.rs"), ("b.rs", "a/c.rs"), ("b.rs", "a/mod.rs")])
            .into_iter()
            .chain([("lib.rs".to_owned(), BTreeSet::new())])
            .collect::<Graph>()
    );
    assert_eq!(circles_of(&graph), [vec!["a/c.rs", "b.rs"]]);
}
