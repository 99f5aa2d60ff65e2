//! The README's table of settings: all of them, in the order of the code, with their defaults.

use super::*;

#[test]
fn the_readme_names_every_setting_and_no_other() {
    let names: Vec<_> = rows().into_iter().map(|(name, _)| name).collect();
    let known: Vec<_> = [known::CONFIG].into_iter().chain(known::SETTINGS).collect();
    assert_eq!(names, known);
}

#[test]
fn the_readme_has_the_defaults() {
    let defaults = load(&[]).expect("defaults");
    for (name, default) in rows() {
        match (name.as_str(), default.strip_prefix('`').and_then(|text| text.strip_suffix('`'))) {
            (known::CONFIG, default) => assert_eq!(default, Some("./keystile.toml")),
            ("KEYSTILE_PEPPERS", None) => assert_eq!(default, "generated"),
            (_, None) => assert_eq!(default, "unset", "{name}"),
            (name, Some(default)) => {
                assert_eq!(load(&[(name, default)]).expect("settings"), defaults, "{name}");
            }
        }
    }
}

/// The names and defaults of the table.
fn rows() -> Vec<(String, String)> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).expect("the README");
    let rows = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `KEYSTILE_")?.split_once("` | ")?;
        Some((format!("KEYSTILE_{name}"), rest.split_once(" | ")?.0.to_owned()))
    });
    rows.collect()
}
