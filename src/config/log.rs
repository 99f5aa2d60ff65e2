//! What is logged, and in which format.

use tracing_subscriber::EnvFilter;

use super::settings::Settings;

/// What to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `KEYSTILE_LOG`: a level, and levels per module, such as `info,keystile::store=debug`.
    pub filter: String,
    /// `KEYSTILE_LOG_FORMAT`: `auto`, `text` or `json`.
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

impl LogFormat {
    /// Whether to write JSON; `auto` depends on whether the log goes to a terminal.
    pub fn is_json(self, terminal: bool) -> bool {
        match self {
            Self::Auto => !terminal,
            Self::Text => false,
            Self::Json => true,
        }
    }
}

impl LogConfig {
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            filter: settings.value("KEYSTILE_LOG", DEFAULT.to_owned(), filter),
            format: settings.value("KEYSTILE_LOG_FORMAT", LogFormat::Auto, format),
        }
    }
}

/// At lower levels, these libraries log each step of a migration, each closed connection, and their own shutdown.
const DEFAULT: &str = "info,opentelemetry_sdk=warn,sea_orm_migration=warn,sqlx=error";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

fn filter(text: &str) -> Result<String, String> {
    let example = "write a level, and levels per module, such as info,keystile::store=debug";
    EnvFilter::builder()
        .parse(text)
        .map_err(|error| format!("{text:?} is not a log filter ({error}): {example}"))?;
    // A bare word that is no level counts as a module at full detail, so a typo in a level would silence all else.
    let word = |part: &&str| part.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c));
    let level = |part: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part));
    match text.split(',').filter(word).find(|part| !level(part)) {
        Some(part) => Err(format!("{part:?} is not one of {}: {example}", LEVELS.join(", "))),
        None => Ok(text.to_owned()),
    }
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not auto, text or json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        for right in ["info", "WARN", "off", "info,keystile::store=debug", "keystile[span{a=1}]=trace"] {
            assert_eq!(filter(right), Ok(right.to_owned()));
        }
        for (wrong, message) in [
            ("inof", "\"inof\" is not one of off, error"),
            ("info,keystile", "\"keystile\" is not one of off, error"),
            ("info,,warn", "\"\" is not one of off, error"),
            ("keystile=loud", "\"keystile=loud\" is not a log filter ("),
        ] {
            let fault = filter(wrong).expect_err(wrong);
            assert!(
                fault.contains(message) && fault.contains("such as info,keystile::store=debug"),
                "{fault}"
            );
        }
    }

    #[test]
    fn formats_are_three_words() {
        assert_eq!(format("auto"), Ok(LogFormat::Auto));
        assert_eq!(format("text"), Ok(LogFormat::Text));
        assert_eq!(format("json"), Ok(LogFormat::Json));
        assert_eq!(format("xml"), Err(r#""xml" is not auto, text or json"#.to_owned()));
        assert_eq!([true, false].map(|terminal| LogFormat::Auto.is_json(terminal)), [false, true]);
        assert_eq!([true, false].map(|terminal| LogFormat::Text.is_json(terminal)), [false, false]);
        assert_eq!([true, false].map(|terminal| LogFormat::Json.is_json(terminal)), [true, true]);
    }
}
