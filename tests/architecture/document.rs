//! The tables of ARCHITECTURE.md, as far as tests hold the code to them.

use std::{collections::BTreeSet, fs};

use crate::sources::root;

/// The name in a line of a table, and what its last cell lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    name: String,
    listed: BTreeSet<String>,
}

impl Row {
    pub(crate) fn new(name: &str, listed: &[&str]) -> Self {
        Self { name: name.to_owned(), listed: listed.iter().map(|it| (*it).to_owned()).collect() }
    }
}

/// Fails unless the table whose header has the column `named` has exactly these rows, in any order.
pub(crate) fn assert_table(named: &str, expected: &[Row]) {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut shown = table(&text, named);
    let mut expected = expected.to_vec();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected, "ARCHITECTURE.md's table (left) differs from the test's (right)");
}

/// The rows of the table whose header has the column `named`.
fn table(text: &str, named: &str) -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = text.lines();
    let header = lines.find(|line| line.starts_with('|') && cells(line).iter().any(|cell| cell == named));
    let column = cells(header.unwrap()).iter().position(|cell| cell == named).unwrap();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = cells(line);
            let listed = code_words(cells.last().unwrap());
            Row { name: code_words(&cells[column]).remove(0), listed: listed.into_iter().collect() }
        })
        .collect()
}

/// What is in backticks.
fn code_words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn tables_are_read() {
    let text = "# Title\n\n| floor | module | may use |\n|---|---|---|\n| 1 | `a::b` | `c`, `d` |\n| 2 | `e` | nothing |\n\n| `x` |";
    assert_eq!(table(text, "module"), [Row::new("a::b", &["c", "d"]), Row::new("e", &[])]);
}
