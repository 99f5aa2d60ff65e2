//! `keystile.toml`: a flat table whose keys are the variables' names, lower-cased and without the prefix.

use std::io::ErrorKind;
use std::path::Path;

use zeroize::Zeroizing;

/// A key and its value as text, or what is wrong with it.
pub(super) type Entry = (String, Result<Zeroizing<String>, String>);

/// The entries of the file; empty when the file does not exist and `may_be_missing`.
pub(super) fn read(path: &Path, may_be_missing: bool) -> Result<Vec<Entry>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&Zeroizing::new(text)).map_err(|fault| format!("{} {fault}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound && may_be_missing => Ok(Vec::new()),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The error's own `Display` quotes the line, which may hold a secret.
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.split('\n').count());
        format!("is not valid TOML: line {line}: {}", error.message())
    })?;
    Ok(table.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

fn plain(value: toml::Value) -> Result<Zeroizing<String>, String> {
    match value {
        toml::Value::String(text) => Ok(Zeroizing::new(text)),
        toml::Value::Integer(number) => Ok(Zeroizing::new(number.to_string())),
        toml::Value::Boolean(truth) => Ok(Zeroizing::new(truth.to_string())),
        other => Err(format!("is of type {}: write a string in quotes", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_strings_numbers_and_booleans() {
        let entries =
            parse("log = \"debug\"\ndatabase_max_connections = 7\ninsecure = true\n").expect("entries");
        let mut texts: Vec<_> = entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_ref().expect("plain").as_str()))
            .collect();
        texts.sort_unstable();
        assert_eq!(texts, [("database_max_connections", "7"), ("insecure", "true"), ("log", "debug")]);
    }

    #[test]
    fn refuses_what_is_not_plain() {
        for (text, fault) in [("a = 1.5", "type float"), ("a = [1]", "type array"), ("[a]", "type table")] {
            let [(_, value)] = &parse(text).expect("entries")[..] else { panic!("one entry") };
            assert!(value.as_ref().expect_err("a fault").contains(fault), "{text}");
        }
    }

    #[test]
    fn a_syntax_fault_names_its_line_and_never_quotes_it() {
        let wrong = [
            "peppers = 1:hunter2",
            "peppers = \"1:hunter2",
            "peppers = \"\\q hunter2\"",
            "hunter2",
            "hunter2 = 1\nhunter2 = 2",
            "hunter2 = 1\nhunter2.a = 2",
            "[hunter2",
            "peppers = hunter2",
            "peppers = 'hunter2' 'hunter2'",
        ];
        for text in wrong {
            let fault = parse(&format!("log = \"info\"\n{text}")).expect_err("a fault");
            assert!(fault.starts_with("is not valid TOML: line "), "{fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
        assert!(parse("a = 1\n\nb = = 2").expect_err("a fault").contains("line 3:"));
    }

    #[test]
    fn a_missing_file_is_a_fault_only_when_it_was_asked_for() {
        let path = Path::new("/nowhere/keystile.toml");
        assert_eq!(read(path, true).expect("no entries").len(), 0);
        assert!(
            read(path, false).expect_err("a fault").starts_with("/nowhere/keystile.toml cannot be read: ")
        );
    }
}
