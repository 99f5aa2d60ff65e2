//! The settings as text, merged from the environment and the file, and the faults found so far.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use super::environment::Environment;
use super::fault::{ConfigError, Fault, FileKey, file_key, variable};
use super::kubernetes::Services;
use super::{file, known};

/// Values by variable, and the faults. No `Debug`, because values may be secret.
pub(super) struct Settings {
    values: BTreeMap<&'static str, Value>,
    faults: Vec<Fault>,
}

struct Value {
    text: Zeroizing<String>,
    /// `None` when it came from the environment.
    place: Option<FileKey>,
}

impl Settings {
    /// Reads the file, then the environment, which takes precedence.
    pub(super) fn read(environment: &Environment, default_file: &Path) -> Self {
        let mut settings = Self { values: BTreeMap::new(), faults: Vec::new() };
        match environment.get(known::CONFIG) {
            Some(path) if path.is_empty() => settings.fault(known::CONFIG, EMPTY),
            Some(path) => settings.read_file(Path::new(path), false),
            None => settings.read_file(default_file, true),
        }
        settings.read_environment(environment);
        settings
    }

    /// The value of a setting; `default` when it is unset, or invalid, which is noted as a fault.
    pub(super) fn value<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        match self.get(name).map(|text| parse(&text)) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(message)) => {
                self.fault(name, message);
                default
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        debug_assert!(known::find(name).is_some(), "{name} is not in the list");
        self.values.get(name).map(|value| value.text.clone())
    }

    /// The file that the value came from.
    pub(super) fn file(&self, name: &str) -> Option<&Path> {
        self.values.get(name)?.place.as_ref().map(|place| place.path.as_path())
    }

    /// Notes a fault of a setting, set or not.
    pub(super) fn fault(&mut self, name: &str, message: impl Into<String>) {
        let place = self.values.get(name).and_then(|value| value.place.clone());
        self.note(name, place, message.into());
    }

    /// `config` when there was no fault.
    pub(super) fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(config) } else { Err(ConfigError::new(self.faults)) }
    }

    fn read_file(&mut self, path: &Path, may_be_missing: bool) {
        let entries = file::read(path, may_be_missing).unwrap_or_else(|message| {
            self.fault(known::CONFIG, message);
            Vec::new()
        });
        for (key, value) in entries {
            let name = variable(&key);
            // Only the exact key: otherwise `Log` and `log` would be two values of one setting.
            let known = known::find(&name).filter(|_| file_key(&name) == key);
            let place = Some(FileKey { path: path.to_owned(), key });
            match (known, value) {
                (Some(known), Ok(text)) => self.put(known, text, place),
                (Some(_), Err(message)) => self.note(&name, place, message),
                (None, _) if name == known::CONFIG => {
                    self.note(&name, place, "names the file itself: set it in the environment".to_owned());
                }
                (None, _) => self.note(&name, place, unknown(known::nearest(&name).map(file_key))),
            }
        }
    }

    fn read_environment(&mut self, environment: &Environment) {
        let services = Services::of(environment);
        for (name, value) in environment.iter() {
            match (known::find(name), value.to_str()) {
                (Some(known), Some(text)) => self.put(known, Zeroizing::new(text.to_owned()), None),
                (Some(_), None) => self.note(name, None, "is not valid UTF-8".to_owned()),
                (None, _) if name == known::CONFIG || name.starts_with(known::TEST_PREFIX) => {}
                (None, _) if services.have(name, value) => {}
                (None, _) => self.note(name, None, unknown(known::nearest(name).map(str::to_owned))),
            }
        }
    }

    fn put(&mut self, name: &'static str, text: Zeroizing<String>, place: Option<FileKey>) {
        // An empty value is most often a secret that failed to arrive; a default in its place would hide that.
        if text.trim().is_empty() {
            self.note(name, place, EMPTY.to_owned());
        } else {
            self.values.insert(name, Value { text, place });
        }
    }

    fn note(&mut self, setting: &str, place: Option<FileKey>, message: String) {
        self.faults.push(Fault { setting: setting.to_owned(), place, message });
    }
}

const EMPTY: &str = "is empty: give it a value, or leave it out for the default";

fn unknown(nearest: Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("is not a setting; did you mean {nearest}?"),
        None => "is not a setting: remove it".to_owned(),
    }
}
