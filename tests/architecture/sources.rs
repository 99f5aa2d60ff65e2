//! The source files of the server and of each crate, with the modules that they are and the paths that they write.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path within the repository.
    pub(crate) file: PathBuf,
    /// Its module within its crate: empty for the root.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    /// Without comments and strings.
    pub(crate) code: String,
}

impl Source {
    /// The code without the module of tests that ends it.
    pub(crate) fn without_tests(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every folder with the sources of one crate: the server's, and those below `crates/`.
pub(crate) fn crates() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("src")];
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path().join("src");
        if folder.is_dir() {
            folders.push(folder.strip_prefix(root()).unwrap().to_owned());
        }
    }
    folders.sort();
    folders
}

/// Every source file below `folder`, files of tests included.
pub(crate) fn sources(folder: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let within = path.strip_prefix(root().join(folder)).unwrap();
        Source {
            module: module(within),
            file: path.strip_prefix(root()).unwrap().to_owned(),
            code: code(&text),
            text,
        }
    };
    files.into_iter().map(read).collect()
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module(file: &Path) -> Vec<String> {
    let mut module: Vec<_> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// `text` without comments, and without strings and characters.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            'r' if !continues_a_word(&code) && (rest.starts_with("r\"") || rest.starts_with("r#")) => {
                raw_string(rest)
            }
            '"' => string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            rest = &rest[skipped..];
        }
    }
    code
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|it| *it == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, it) in text.char_indices().skip(1) {
        match it {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// 0 for a lifetime, which opens like one.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            text[2..].char_indices().skip(1).find(|(_, it)| *it == '\'').map_or(0, |(at, _)| at + 3)
        }
        Some(_) => characters.next().filter(|(_, it)| *it == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

fn continues_a_word(before: &str) -> bool {
    before.ends_with(|it: char| it.is_alphanumeric() || it == '_')
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "/* kept */ a; // b::c\nlet d = \"e\\\"f\"; r#\"g\"h\"#; 'i'; '\\n'; '\\u{41}'; fn j<'k>() {}";
    assert_eq!(code(text), "/* kept */ a; \nlet d = ; ; ; ; ; fn j<'k>() {}");
}
