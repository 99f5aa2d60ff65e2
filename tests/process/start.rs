//! Starts that fail, each with an exit code and a message that says what to do, and commands other than `serve`.

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
async fn every_fault_of_the_settings_is_reported_at_once() {
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
    assert!(!home.data().exists(), "no file was created");
}

#[tokio::test]
async fn faults_of_the_file_are_reported_with_its_name() {
    let home = Home::embedded();
    home.write("keystile.toml", "drain_deadline = \"soon\"\nlogs = \"info\"\n");
    home.run(&[])
        .await
        .with_code(MISCONFIGURED)
        .with_stderr("keystile.toml")
        .with_stderr("drain_deadline")
        .with_stderr("did you mean log?");
}

/// As in a pod next to a Service named `keystile`.
#[tokio::test]
async fn the_variables_of_a_kubernetes_service_are_ignored() {
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
        .with_stderr("2 settings are wrong:")
        .with_stderr("KEYSTILE_PORT: is not a setting")
        .with_stderr("KEYSTILE_LOGS: is not a setting; did you mean KEYSTILE_LOG?");
}

#[tokio::test]
async fn an_unknown_database_is_reported_with_its_address_without_the_password() {
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database);
    let wrong = home.setting("KEYSTILE_DATABASE_URL").replace("/keystile_test", "/not_keystile_test");
    let home = home.with("KEYSTILE_DATABASE_URL", &wrong);
    home.run(&[])
        .await
        .with_code(MISCONFIGURED)
        .with_stderr("KEYSTILE_DATABASE_URL: postgres://")
        .with_stderr("does not exist");
}

#[tokio::test]
async fn a_database_that_stops_answering_during_the_start_exits_with_unavailable() {
    let database = Database::empty(Kind::Postgres).await;
    let home = Home::on(&database);
    home.run(&["migrate"]).await.with_code(0);
    // Every query of the secrets waits for this lock, and times out soon.
    let raw = database.raw().await;
    run(&raw, &format!("ALTER DATABASE {} SET statement_timeout = '300ms'", database.name())).await;
    run(&raw, "BEGIN; LOCK TABLE secrets").await;
    home.run(&[]).await.with_code(UNAVAILABLE).with_stderr("the database broke off a statement");
    run(&raw, "COMMIT").await;
    raw.close().await.unwrap();
    home.serve().await.stop().await;
}

#[tokio::test]
async fn a_start_that_waits_for_the_database_can_be_stopped() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::embedded()
        .with("KEYSTILE_DATABASE_URL", &format!("postgres://ann:hunter2@{free}/keys"))
        .with("KEYSTILE_PEPPERS", &pepper(1));
    let process = home.spawn(&["serve"]);
    let line = process.wait_for_line("waiting for the database").await;
    assert!(line.contains("onnection refused"), "{line}");
    process.signal("TERM");
    let ended = process.ended().await.with_code(0).with_stderr("stopped before it served");
    assert!(!ended.stderr.contains("hunter2"), "{ended:#?}");
}

#[tokio::test]
async fn a_port_in_use_is_reported_before_any_file_is_created() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for variable in ["KEYSTILE_VERIFY_LISTEN", "KEYSTILE_ADMIN_LISTEN", "KEYSTILE_METRICS_LISTEN"] {
        let home = Home::embedded().with(variable, &address);
        home.run(&[])
            .await
            .with_code(1)
            .with_stderr(&format!("{variable}: cannot listen on {address}: "))
            .with_stderr("in use");
        assert!(!home.data().exists(), "no file was created");
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_with_its_version_and_not_changed() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = Database::empty(kind).await;
        let home = Home::on(&database);
        home.run(&["migrate"]).await.with_code(0);
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 1)";
        database.execute(newer).await;
        for command in ["serve", "migrate", "root-key", "peppers"] {
            let ended = home.run(&[command]).await.with_code(MISCONFIGURED);
            let ended = ended.with_stderr("from a newer Keystile: it has migration m9999_later");
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
    ended.with_stderr(&format!("another server uses the database in {}", directory.display()));
    // Commands may run next to a server.
    for command in ["root-key", "peppers", "migrate"] {
        home.run(&[command]).await.with_code(0);
    }
    serving.root().await;
    // Its claim ends with the process, however that ends.
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
            // Retrying for half a minute would end with another code.
            let ended = bound_by_permissions(&home, command).ended().await.with_code(MISCONFIGURED);
            ended.with_stderr(text).with_stderr("Permission denied");
        }
        fs::set_permissions(path, before).unwrap();
    };
    refused(&file, 0o400, "keystile.db cannot be written").await;
    refused(&directory, 0o500, "keystile.db").await;
    fs::remove_file(&file).unwrap();
    refused(&directory, 0o500, "keystile.db").await;
    bound_by_permissions(&home, "migrate").ended().await.with_code(0);
}

/// Starts the binary without root's capabilities, so that file permissions apply.
fn bound_by_permissions(home: &Home, command: &str) -> Process {
    let binary = env!("CARGO_BIN_EXE_keystile");
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return home.spawn(&[command]);
    }
    let without = "--bounding-set=-dac_override,-dac_read_search";
    Process::spawn(home.command("setpriv").args([without, binary, command]))
}

#[tokio::test]
async fn migrate_prints_what_it_did_or_that_the_database_is_up_to_date() {
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
async fn unknown_arguments_are_refused() {
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
    broken.run(&["sevre"]).await.with_code(2).with_stderr("'sevre'").with_stderr("'serve'");
    broken.run(&["serve", "--port", "1"]).await.with_code(2).with_stderr("--port");
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
    asked.run(&["healthcheck"]).await.with_code(0).with_stderr("keystile: ready");
    assert!(!asked.data().exists(), "healthcheck created a file");
    check(free, admin)
        .run(&["healthcheck"])
        .await
        .with_code(1)
        .with_stderr(&format!("the verify listener at {free} is not ready: "));
    check(verify, free)
        .run(&["healthcheck"])
        .await
        .with_code(1)
        .with_stderr(&format!("the admin listener at {free} is not ready: "));
    serving.stop().await;
    asked.run(&["healthcheck"]).await.with_code(1).with_stderr("the verify listener");
}

async fn run(raw: &sea_orm::DatabaseConnection, sql: &str) {
    use sea_orm::ConnectionTrait;
    raw.execute_unprepared(sql).await.unwrap();
}
