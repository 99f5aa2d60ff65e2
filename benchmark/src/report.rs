//! The rows, as a table for people and as JSON for programs that compare runs.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Fallible, load::Measured, numbers::Spread};

#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Row>,
    quick: bool,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Spread,
    pub(crate) bare: Option<Spread>,
    /// Our rate divided by that of the other service, round by round.
    pub(crate) ratio: Option<Spread>,
    /// CPU time of the servers for one decision, in microseconds.
    pub(crate) cpu: Option<(Spread, Option<Spread>)>,
    pub(crate) promise: Option<Promise>,
}

/// A target for a row: for its ratio if it has one, else for its value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Promise {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self { rows: Vec::new(), quick }
    }

    /// Adds a row, and prints it at once, to show progress.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", row.cells().join("  "));
        self.rows.push(row);
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    pub(crate) fn print(&self) {
        let head = [
            "", "unit", "ours", "(range)", "bare", "(range)", "ratio", "(range)", "CPU µs", "bare", "promise",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 11] = std::array::from_fn(width);
        for line in &lines {
            let cells: Vec<String> = line
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    // Text is left-aligned, numbers are right-aligned.
                    0 | 1 | 10 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            println!("{}", cells.join("  ").trim_end());
        }
        if self.quick {
            println!("\nA quick run: too short for figures to quote.");
        }
    }

    pub(crate) fn write(&self, file: &Path) -> Fallible<()> {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({ "quick": self.quick, "rows": rows });
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(file, serde_json::to_string_pretty(&report)?)?;
        Ok(())
    }
}

impl Row {
    /// Rates of ours and of the bare service, measured alternately.
    pub(crate) fn rates(name: impl Into<String>, ours: &[Measured], bare: &[Measured]) -> Self {
        let rates = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.rate));
        let cpu = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.cpu));
        let ratios = ours.iter().zip(bare).map(|(ours, bare)| ours.rate / bare.rate);
        let compared = !bare.is_empty();
        Self {
            cpu: Some((cpu(ours), compared.then(|| cpu(bare)))),
            bare: compared.then(|| rates(bare)),
            ratio: compared.then(|| Spread::of(ratios)),
            ..Self::value(name, "/s", rates(ours))
        }
    }

    pub(crate) fn value(name: impl Into<String>, unit: &'static str, value: Spread) -> Self {
        Self { name: name.into(), unit, ours: value, bare: None, ratio: None, cpu: None, promise: None }
    }

    pub(crate) fn promising(mut self, promise: Promise) -> Self {
        self.promise = Some(promise);
        self
    }

    fn is_kept(&self) -> Option<bool> {
        let value = self.ratio.unwrap_or(self.ours).median;
        Some(match self.promise? {
            Promise::AtLeast(least) => value >= least,
            Promise::AtMost(most) => value <= most,
        })
    }

    fn cells(&self) -> [String; 11] {
        let median = |spread: Option<Spread>| spread.map_or(String::new(), |it| short(it.median));
        let range = |spread: Option<Spread>| {
            let spread = spread.filter(|it| it.lowest < it.highest);
            spread.map_or(String::new(), |it| format!("{}–{}", short(it.lowest), short(it.highest)))
        };
        let promise = self.promise.map_or(String::new(), |promise| {
            let promise = match promise {
                Promise::AtLeast(least) => format!("≥ {least}"),
                Promise::AtMost(most) => format!("≤ {most}"),
            };
            let kept = self.is_kept() == Some(true);
            format!("{promise} {}", if kept { "kept" } else { "MISSED" })
        });
        [
            self.name.clone(),
            self.unit.to_owned(),
            median(Some(self.ours)),
            range(Some(self.ours)),
            median(self.bare),
            range(self.bare),
            median(self.ratio),
            range(self.ratio),
            median(self.cpu.map(|it| it.0)),
            median(self.cpu.and_then(|it| it.1)),
            promise,
        ]
    }

    fn json(&self) -> Value {
        let spread = |it: Spread| json!({ "median": it.median, "lowest": it.lowest, "highest": it.highest });
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": spread(self.ours),
            "bare": self.bare.map(spread),
            "ratio": self.ratio.map(spread),
            "cpu_micros": self.cpu.map(|it| spread(it.0)),
            "bare_cpu_micros": self.cpu.and_then(|it| it.1).map(spread),
            "kept": self.is_kept(),
        })
    }
}

/// No more digits than are significant on a shared machine.
fn short(value: f64) -> String {
    match value.abs() {
        it if it >= 10_000.0 => {
            let thousands = format!("{:.0}", value / 1000.0);
            format!("{thousands} k")
        }
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
