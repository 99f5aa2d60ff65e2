//! Starts that fail, each with an exit code and words that say what to do, and commands besides serving.

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};
use testkit::{
    database::{Database, Kind},
    process::Process,
};

use crate::home::{Home, Serving, pepper};

const MISCONFIGURED: i32 = 78;
const UNAVAILABLE: i32 = 69;

#[tokio::test]
async fn every_fault_of_the_settings_is_told_at_once() {
    let home = Home::embedded()
        .with("KEYSTILE_VERIFY_LISTEN", "0.0.0.0:50051")
        .with("KEYSTILE_DATABASE_URL", "oracle://ann:hunter2@db/keys")
        .with("KEYSTILE_DRAIN_DEADLINE", "soon")
        .with("KEYSTILE_PEPPERS", "1:c2hvcnQ=")
        .with("KEYSTILE_LOGS", "info");
    let ended = home.run(&[]).await.with_code(MISCONFIGURED);
    for fault in [
        "KEYSTILE_VERIFY_LISTEN: 0.0.0.0:50051 is reachable from other machines",
        "KEYSTILE_DATABASE_URL: must begin with",
        "KEYSTILE_DRAIN_DEADLINE: \"soon\" is not a duration",
        "KEYSTILE_PEPPERS: entry 1 has 5 bytes, but at least 32 are needed",
        "KEYSTILE_LOGS: is not a setting; did you mean KEYSTILE_LOG?",
    ] {
        assert!(ended.stderr.contains(fault), "{fault:?} is missing in {ended:#?}");
    }
    assert!(!ended.stderr.contains("hunter2") && !ended.stderr.contains("c2hvcnQ"));
    assert_eq!(ended.stdout, "");
    assert!(!home.data().exists(), "nothing was begun");
}

#[tokio::test]
async fn faults_of_the_file_are_told_with_its_name() {
    let home = Home::embedded();
    home.write("keystile.toml", "drain_deadline = \"soon\"\nlogs = \"info\"\n");
    home.run(&[])
        .await
        .with_code(MISCONFIGURED)
        .telling("keystile.toml")
        .telling("drain_deadline")
        .telling("did you mean log?");
}

/// As in a pod beside a Service named `keystile`.
#[tokio::test]
async fn the_variables_of_a_kubernetes_service_are_no_settings() {
    let home = Home::embedded()
        .with("KEYSTILE_SERVICE_HOST", "10.96.0.17")
        .with("KEYSTILE_SERVICE_PORT", "50051")
        .with("KEYSTILE_SERVICE_PORT_VERIFY", "50051")
        .with("KEYSTILE_PORT", "tcp://10.96.0.17:50051")
        .with("KEYSTILE_PORT_50051_TCP", "tcp://10.96.0.17:50051")
        .with("KEYSTILE_PORT_50051_TCP_PROTO", "tcp")
        .with("KEYSTILE_PORT_50051_TCP_PORT", "50051")
        .with("KEYSTILE_PORT_50051_TCP_ADDR", "10.96.0.17");
    home.serve().await.stop().await;

    let home = home.with("KEYSTILE_PORT", "50051").with("KEYSTILE_LOGS", "info");
    home.run(&[])
        .await
        .with_code(MISCONFIGURED)
        .telling("2 settings are wrong:")
        .telling("KEYSTILE_PORT: is not a setting")
        .telling("KEYSTILE_LOGS: is not a setting; did you mean KEYSTILE_LOG?");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_with_its_address_but_no_password() {
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database);
    let wrong = home.setting("KEYSTILE_DATABASE_URL").replace("/keystile_test", "/not_keystile_test");
    let home = home.with("KEYSTILE_DATABASE_URL", &wrong);
    home.run(&[])
        .await
        .with_code(MISCONFIGURED)
        .telling("KEYSTILE_DATABASE_URL: postgres://")
        .telling("does not exist");
}

#[tokio::test]
async fn a_database_that_stops_answering_during_the_start_is_a_matter_for_a_restart() {
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database);
    home.run(&["migrate"]).await.with_code(0);
    // Every look at the secrets waits for this lock, and gives up soon.
    let raw = database.raw().await;
    run(&raw, &format!("ALTER DATABASE {} SET statement_timeout = '300ms'", database.name())).await;
    run(&raw, "BEGIN; LOCK TABLE secrets").await;
    home.run(&[]).await.with_code(UNAVAILABLE).telling("the database broke off a statement");
    run(&raw, "COMMIT").await;
    raw.close().await.unwrap();
    home.serve().await.stop().await;
}

#[tokio::test]
async fn it_can_be_stopped_while_it_waits_for_the_database() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::embedded()
        .with("KEYSTILE_DATABASE_URL", &format!("postgres://ann:hunter2@{free}/keys"))
        .with("KEYSTILE_PEPPERS", &pepper(1));
    let process = home.spawn(&["serve"]);
    let line = process.tells("waiting for the database").await;
    assert!(line.contains("onnection refused"), "{line}");
    process.signal("TERM");
    let ended = process.ended().await.with_code(0).telling("stopped before it served");
    assert!(!ended.stderr.contains("hunter2"), "{ended:#?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for variable in ["KEYSTILE_VERIFY_LISTEN", "KEYSTILE_ADMIN_LISTEN", "KEYSTILE_METRICS_LISTEN"] {
        let home = Home::embedded().with(variable, &address);
        home.run(&[])
            .await
            .with_code(1)
            .telling(&format!("{variable}: cannot listen on {address}: "))
            .telling("in use");
        assert!(!home.data().exists(), "nothing was begun");
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_with_its_version_and_left_alone() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = Database::empty(kind).await;
        let home = Home::on(&database);
        home.run(&["migrate"]).await.with_code(0);
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 1)";
        database.execute(newer).await;
        for command in ["serve", "migrate", "root-key", "peppers"] {
            let ended = home.run(&[command]).await.with_code(MISCONFIGURED);
            let ended = ended.telling("from a newer Keystile: it has migration m9999_later");
            assert_eq!(ended.stdout, "", "{command}");
        }
        database.execute("DELETE FROM seaql_migrations WHERE version = 'm9999_later'").await;
        let minted = home.run(&["root-key"]).await.with_code(0);
        assert_ne!(minted.stdout, "");
    }
}

#[tokio::test]
async fn a_second_server_on_one_embedded_database_is_refused() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let ended = home.run(&["serve"]).await.with_code(MISCONFIGURED);
    let directory = home.data().canonicalize().unwrap();
    ended.telling(&format!("another server uses the database in {}", directory.display()));
    // Commands may run next to a server.
    for command in ["root-key", "peppers", "migrate"] {
        home.run(&[command]).await.with_code(0);
    }
    serving.root().await;
    // However it ends, its claim ends with it.
    serving.process.kill().await;
    home.serve().await.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused_at_once() {
    let home = Home::embedded();
    home.run(&["migrate"]).await.with_code(0);
    let (directory, file) = (home.data(), home.data().join("keystile.db"));
    let refused = async |path: &Path, mode: u32, text: &str| {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for command in ["serve", "migrate", "root-key"] {
            // Trying on for half a minute would end with another code.
            let ended = bound_by_permissions(&home, command).ended().await.with_code(MISCONFIGURED);
            ended.telling(text).telling("Permission denied");
        }
        fs::set_permissions(path, before).unwrap();
    };
    refused(&file, 0o400, "keystile.db cannot be written").await;
    refused(&directory, 0o500, "keystile.db").await;
    fs::remove_file(&file).unwrap();
    refused(&directory, 0o500, "keystile.db").await;
    bound_by_permissions(&home, "migrate").ended().await.with_code(0);
}

/// Starts the binary so that permissions count for it, as they do not for root.
fn bound_by_permissions(home: &Home, command: &str) -> Process {
    let binary = env!("CARGO_BIN_EXE_keystile");
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return home.spawn(&[command]);
    }
    let without = "--bounding-set=-dac_override,-dac_read_search";
    Process::spawn(home.command("setpriv").args([without, binary, command]))
}

#[tokio::test]
async fn migrate_says_what_it_did_and_that_there_was_nothing_to_do() {
    let home = Home::embedded();
    let first = home.run(&["migrate"]).await.with_code(0);
    assert!(first.stdout.starts_with("applied m0001_"), "{first:#?}");
    let second = home.run(&["migrate"]).await.with_code(0);
    assert_eq!(second.stdout, "the database is up to date\n");
    let serving = home.serve().await;
    serving.root().await;
    serving.stop().await;
}

#[tokio::test]
async fn the_command_line_is_understood_or_refused() {
    let broken = Home::embedded().with("KEYSTILE_DRAIN_DEADLINE", "soon");
    let version = broken.run(&["--version"]).await.with_code(0);
    assert_eq!(version.stdout, format!("keystile {}\n", env!("CARGO_PKG_VERSION")));
    let help = broken.run(&["--help"]).await.with_code(0);
    for command in ["serve", "migrate", "root-key", "healthcheck", "peppers"] {
        assert!(help.stdout.contains(command), "{help:#?}");
    }
    for to_come in ["limit", "plan", "credit", "role"] {
        assert!(!help.stdout.contains(to_come), "{help:#?}");
    }
    broken.run(&["sevre"]).await.with_code(2).telling("'sevre'").telling("'serve'");
    broken.run(&["serve", "--port", "1"]).await.with_code(2).telling("--port");
}

#[tokio::test]
async fn healthcheck_asks_both_listeners() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = |verify: SocketAddr, admin: SocketAddr| {
        Home::embedded()
            .with("KEYSTILE_VERIFY_LISTEN", &verify.to_string())
            .with("KEYSTILE_ADMIN_LISTEN", &admin.to_string())
    };
    let Serving { verify, admin, .. } = serving;
    let asked = check(verify, admin);
    asked.run(&["healthcheck"]).await.with_code(0).telling("keystile: ready");
    assert!(!asked.data().exists(), "asking makes nothing");
    check(free, admin)
        .run(&["healthcheck"])
        .await
        .with_code(1)
        .telling(&format!("the verify listener at {free} is not ready: "));
    check(verify, free)
        .run(&["healthcheck"])
        .await
        .with_code(1)
        .telling(&format!("the admin listener at {free} is not ready: "));
    serving.stop().await;
    asked.run(&["healthcheck"]).await.with_code(1).telling("the verify listener");
}

async fn run(raw: &sea_orm::DatabaseConnection, sql: &str) {
    use sea_orm::ConnectionTrait;
    raw.execute_unprepared(sql).await.unwrap();
}
