//! The settings as a whole: defaults, both sources and their precedence, all faults at once.

mod kubernetes;
mod peppers;
mod readme;
mod rules;
mod traces;

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const PEPPER: &str = "1:aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi1odW50ZXIy";
const SECRET: &str = "aHVudGVy";

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load_with(&variables.iter().copied().collect(), Path::new("/nowhere/keystile.toml"))
}

/// Loads `text` as `keystile.toml` under the given variables; the file's path is cut from faults.
fn load_file(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keystile.toml");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
    let loaded = Config::load_with(&variables.iter().copied().collect(), &path);
    loaded.map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The one fault of these variables.
#[track_caller]
fn fault(variables: &[(&str, &str)]) -> String {
    let error = load(variables).expect_err("a fault");
    assert_eq!(error.faults().len(), 1, "{error}");
    for shown in [format!("{error}"), format!("{error:?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
    }
    error.faults()[0].to_string()
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = load(&[]).expect("defaults");
    let expected = Config {
        data_dir: PathBuf::from("./keystile-data"),
        database: DatabaseConfig {
            location: Database::Embedded { file: PathBuf::from("./keystile-data/keystile.db") },
            max_connections: 16,
            timeout: Duration::from_secs(5),
        },
        cache: CacheConfig {
            capacity_mib: 256,
            time_to_live: Duration::from_secs(600),
            unknown_ids: 100_000,
            preload: 0,
            feed_poll: Duration::from_millis(100),
            max_staleness: Duration::from_secs(30),
            fail_open: false,
        },
        listen: ListenConfig {
            verify: address("127.0.0.1:50051"),
            admin: address("127.0.0.1:50052"),
            metrics: address("127.0.0.1:9464"),
            insecure: false,
        },
        peppers: PepperSource::Generated { file: PathBuf::from("./keystile-data/peppers") },
        process: ProcessConfig { drain_deadline: Duration::from_secs(30) },
        log: LogConfig {
            filter: "info,opentelemetry_sdk=warn,sea_orm_migration=warn,sqlx=error".to_owned(),
            format: LogFormat::Auto,
        },
        traces: TracesConfig { collector: None, sampling: Sampling { follows_callers: true, share: 0.01 } },
    };
    assert_eq!(config, expected);
}

#[test]
fn every_setting_can_be_set_in_either_source() {
    let settings = [
        ("DATA_DIR", "/var/k"),
        ("DATABASE_URL", "mariadb://ann:hunter2@db/keys"),
        ("DATABASE_MAX_CONNECTIONS", "40"),
        ("DATABASE_TIMEOUT", "250ms"),
        ("VERIFY_LISTEN", "0.0.0.0:1"),
        ("ADMIN_LISTEN", "[::]:2"),
        ("METRICS_LISTEN", "127.0.0.1:3"),
        ("INSECURE", "true"),
        ("PEPPERS", PEPPER),
        ("DRAIN_DEADLINE", "2m"),
        ("LOG", "debug"),
        ("LOG_FORMAT", "json"),
    ];
    let environment: Vec<_> =
        settings.iter().map(|(name, value)| (format!("KEYSTILE_{name}"), *value)).collect();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let config = load(&environment).expect("settings");
    assert_eq!(config.data_dir, Path::new("/var/k"));
    let Database::Server { url } = &config.database.location else { panic!("a server") };
    assert_eq!(url.expose(), "mysql://ann:hunter2@db/keys");
    assert_eq!((config.database.max_connections, config.database.timeout), (40, Duration::from_millis(250)));
    assert_eq!((config.listen.verify, config.listen.admin), (address("0.0.0.0:1"), address("[::]:2")));
    assert_eq!(config.listen.metrics, address("127.0.0.1:3"));
    assert!(config.listen.insecure);
    assert_eq!(config.peppers, PepperSource::Given(parse_peppers(PEPPER).expect("a pepper")));
    assert_eq!(config.process.drain_deadline, Duration::from_secs(120));
    assert_eq!(config.log, LogConfig { filter: "debug".to_owned(), format: LogFormat::Json });

    let file: String =
        settings.iter().map(|(name, value)| format!("{} = {value:?}\n", name.to_lowercase())).collect();
    assert_eq!(load_file(&file, &[]).expect("settings"), config);
}

#[test]
fn debug_shows_no_secret() {
    let config =
        load(&[("KEYSTILE_DATABASE_URL", "postgres://ann:hunter2@db/keys"), ("KEYSTILE_PEPPERS", PEPPER)]);
    let shown = format!("{:?}", config.expect("settings"));
    assert!(shown.contains("ann:***@db") && shown.contains("Pepper { version: 1, .. }"), "{shown}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(SECRET) && !shown.contains("104, 117, 110"),
        "{shown}"
    );
}

#[test]
fn the_environment_precedes_the_file() {
    let file = "log = \"debug\"\ndrain_deadline = \"1s\"";
    let config = load_file(file, &[("KEYSTILE_LOG", "warn")]).expect("settings");
    assert_eq!((config.log.filter.as_str(), config.process.drain_deadline), ("warn", Duration::from_secs(1)));
}

#[test]
fn keystile_config_names_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("other.toml");
    let variables = [("KEYSTILE_CONFIG", path.to_str().expect("a path"))];
    assert!(fault(&[("KEYSTILE_CONFIG", "")]).starts_with("KEYSTILE_CONFIG: is empty"));
    assert!(fault(&variables).starts_with(&format!("KEYSTILE_CONFIG: {} cannot be read: ", path.display())));
    fs::write(&path, "insecure = true").expect("written");
    assert!(load(&variables).expect("settings").listen.insecure);
    fs::write(&path, "log = ").expect("written");
    assert!(
        fault(&variables)
            .starts_with(&format!("KEYSTILE_CONFIG: {} is not valid TOML: line 1: ", path.display()))
    );
}

#[test]
fn all_faults_of_both_sources_are_reported_at_once() {
    let file = "databse_url = \"x\"\nlog_format = \"xml\"\nconfig = \"y\"\nLog = \"info\"\ntls_key = \"k\"\n\
                admin_listen = 1.5\n[database]\nurl = \"x\"";
    let variables = [
        ("KEYSTILE_INSECURE", "yes"),
        ("KEYSTILE_LOGS", "info"),
        ("KEYSTILE_SOMETHING_ELSE", "1"),
        ("KEYSTILE_TEST_POSTGRES", "1"),
        ("KEYSTILE_DRAIN_DEADLINE", " "),
    ];
    let error = load_file(file, &variables).expect_err("faults");
    let mut lines: Vec<_> = error.lines().skip(1).collect();
    lines.sort_unstable();
    assert_eq!(error.lines().next(), Some("11 settings are wrong:"));
    assert_eq!(
        lines,
        [
            "  KEYSTILE_ADMIN_LISTEN (`admin_listen` in keystile.toml): is of type float: write a string in quotes",
            "  KEYSTILE_CONFIG (`config` in keystile.toml): names the file itself: set it in the environment",
            "  KEYSTILE_DATABASE (`database` in keystile.toml): is not a setting: remove it",
            "  KEYSTILE_DATABSE_URL (`databse_url` in keystile.toml): is not a setting; did you mean database_url?",
            "  KEYSTILE_DRAIN_DEADLINE: is empty: give it a value, or leave it out for the default",
            "  KEYSTILE_INSECURE: \"yes\" is neither `true` nor `false`",
            "  KEYSTILE_LOG (`Log` in keystile.toml): is not a setting; did you mean log?",
            "  KEYSTILE_LOGS: is not a setting; did you mean KEYSTILE_LOG?",
            "  KEYSTILE_LOG_FORMAT (`log_format` in keystile.toml): \"xml\" is not auto, text or json",
            "  KEYSTILE_SOMETHING_ELSE: is not a setting: remove it",
            "  KEYSTILE_TLS_KEY (`tls_key` in keystile.toml): is not available yet: remove it",
        ]
    );
}

#[test]
fn a_value_that_is_not_unicode_is_a_fault() {
    use std::os::unix::ffi::OsStringExt;
    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let environment = Environment::from_iter([("KEYSTILE_LOG", value)]);
    let error = Config::load_with(&environment, Path::new("/nowhere")).expect_err("a fault");
    assert_eq!(error.to_string(), "one setting is wrong:\n  KEYSTILE_LOG: is not valid UTF-8");
}
