//! The stop: calls in flight are answered, pending writes are made, and the drain deadline is kept.

use std::net::TcpStream;

use proto::Code;
use testkit::database::{Database, Kind};
use tokio::sync::watch;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::{
    held::Held,
    home::{Caller, Home, Serving, new_key},
    inventory,
};

#[tokio::test]
async fn a_call_in_flight_is_answered_and_its_use_recorded() {
    let home = patient();
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    let (key, api_key) = caller.create_key("late").await;
    let held = Held::verify(&caller).await;
    serving.process.signal("TERM");
    serving.process.wait_for_line(r#""message":"stopping""#).await;
    let answer = held.release(&api_key).await.unwrap();
    assert_eq!(answer.code(), Code::Valid);
    serving.process.ended().await.with_code(0).with_stderr(r#""drain.complete":true"#);

    let used = home.serve().await.caller(&root).key(&key.name).await;
    assert!(used.last_used_time.is_some(), "{used:?}");
    assert!(used.secrets[0].last_used_time.is_some(), "{used:?}");
}

#[tokio::test]
async fn recent_uses_are_in_the_database_after_a_stop() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let database = Database::empty(kind).await;
        let home = Home::on(&database);
        let serving = home.serve().await;
        let root = serving.root().await;
        let caller = serving.caller(&root);
        caller.create_project().await;
        let mut keys = Vec::new();
        for number in 0..20 {
            keys.push(caller.create_key(&format!("key {number}")).await);
        }
        let (never_used, _) = caller.create_key("never used").await;
        for (_, api_key) in &keys {
            assert_eq!(caller.code(api_key).await, Code::Valid);
        }
        serving.stop().await;
        if let Some(file) = database.file() {
            let wal = file.with_extension("db-wal");
            assert!(!wal.exists(), "{} holds what the file should", wal.display());
        }
        let serving = home.serve().await;
        let caller = serving.caller(&root);
        for (key, _) in &keys {
            let used = caller.key(&key.name).await;
            assert!(used.last_used_time.is_some(), "{kind:?}: {used:?}");
        }
        let never_used = caller.key(&never_used.name).await;
        assert_eq!(never_used.last_used_time, None);
        serving.stop().await;
    }
}

#[tokio::test]
async fn every_change_before_the_stop_is_answered() {
    let home = patient();
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let (count, mut counted) = watch::channel(0);
    let tasks: Vec<_> = (0..4)
        .map(|number| tokio::spawn(create_until_it_fails(serving.caller(&root), number, count.clone())))
        .collect();
    counted.wait_for(|created| *created >= 50).await.unwrap();
    serving.process.signal("TERM");
    serving.process.ended().await.with_code(0);
    let mut answered = Vec::new();
    for task in tasks {
        answered.extend(task.await.unwrap());
    }
    answered.sort();
    let serving = home.serve().await;
    let made = inventory::keys(&serving.caller(&root)).await;
    let mut made: Vec<_> = made.into_iter().map(|key| key.name).collect();
    made.sort();
    assert_eq!(made, answered);
    serving.caller(&root).whole_log().await;
}

#[tokio::test]
async fn health_reports_the_stop_and_its_watches_do_not_delay_it() {
    let home = patient();
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    let held = Held::verify(&caller).await;
    let mut watched = Vec::new();
    for address in [serving.admin, serving.verify] {
        let channel = testkit::server::channel(address);
        let watch = HealthClient::new(channel).watch(HealthCheckRequest::default()).await;
        let mut watch = watch.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::Serving);
        watched.push(watch);
    }
    serving.process.signal("TERM");
    for watch in &mut watched {
        let next = watch.message().await.unwrap().unwrap();
        assert_eq!(next.status(), ServingStatus::NotServing);
    }
    held.release("no API key").await.unwrap();
    serving.process.ended().await.with_code(0);
}

#[tokio::test]
async fn connections_without_a_call_do_not_delay_a_stop() {
    let home = patient();
    let serving = home.serve().await;
    let root = serving.root().await;
    // One connection that was used and is idle, and one on which nothing was sent.
    let caller = serving.caller(&root);
    caller.create_project().await;
    let silent = TcpStream::connect(serving.admin).unwrap();
    caller.key(&caller.system_key().await).await;
    serving.stop().await;
    drop((caller, silent));
}

#[tokio::test]
async fn a_client_that_reads_nothing_and_has_no_call_does_not_delay_a_stop() {
    // Sooner than the timeout for clients that answer no ping.
    let home = Home::embedded().with("KEYSTILE_DRAIN_DEADLINE", "20s");
    let serving = home.serve().await;
    serving.root().await;
    let mut deaf = Vec::new();
    for listener in [serving.verify, serving.admin] {
        let stream = tokio::net::TcpStream::connect(listener).await.unwrap();
        let (client, mut connection) = h2::client::handshake(stream).await.unwrap();
        // Until the server has sent its preface; from then on nothing is read, and no ping is answered.
        let mut ping = connection.ping_pong().unwrap();
        tokio::select! {
            pong = ping.ping(h2::Ping::opaque()) => { pong.unwrap(); }
            ended = &mut connection => panic!("{ended:?}"),
        }
        deaf.push((client, connection));
    }
    serving.stop().await;
}

#[tokio::test]
async fn an_open_reflection_stream_does_not_delay_a_stop() {
    let home = patient();
    let serving = home.serve().await;
    serving.root().await;
    let mut asked = Vec::new();
    for listener in [serving.verify, serving.admin] {
        let mut client = ServerReflectionClient::new(testkit::server::channel(listener));
        let questions = tokio_stream::pending();
        asked.push((client.server_reflection_info(questions).await.unwrap().into_inner(), client));
    }
    serving.stop().await;
    for (mut answers, _) in asked {
        let status = answers.message().await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let home = patient();
        let serving = home.serve().await;
        let root = serving.root().await;
        let held = Held::verify(&serving.caller(&root)).await;
        let Serving { process, .. } = serving;
        process.signal(first);
        process.wait_for_line("received a signal: stopping").await;
        process.signal(second);
        process.ended().await.with_code(code).with_stderr("received a second signal: exiting at once");
        assert!(held.cut_off().await.is_err());
        // The next start succeeds after that.
        home.serve().await.caller(&root).whole_log().await;
    }
}

#[tokio::test]
async fn sigint_is_a_clean_stop_too() {
    let serving = Home::embedded().serve().await;
    serving.process.signal("INT");
    serving.process.ended().await.with_code(0);
}

#[tokio::test]
async fn the_drain_deadline_aborts_open_calls_and_loses_nothing_else() {
    let home = Home::embedded().with("KEYSTILE_DRAIN_DEADLINE", "50ms");
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    let (key, api_key) = caller.create_key("used").await;
    assert_eq!(caller.code(&api_key).await, Code::Valid);
    let held = Held::verify(&caller).await;
    serving.process.signal("TERM");
    serving
        .process
        .ended()
        .await
        .with_code(1)
        .with_stderr("calls under way were aborted at the drain deadline (KEYSTILE_DRAIN_DEADLINE)")
        .with_stderr("all last-used times are stored");
    assert!(held.cut_off().await.is_err());
    let used = home.serve().await.caller(&root).key(&key.name).await;
    assert!(used.last_used_time.is_some(), "{used:?}");
}

/// A drain deadline longer than tests wait, so that a stop that needs it fails the test.
fn patient() -> Home {
    Home::embedded().with("KEYSTILE_DRAIN_DEADLINE", "1h")
}

async fn create_until_it_fails(caller: Caller, task: usize, count: watch::Sender<u32>) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let request = new_key(&format!("task {task}, key {}", names.len()));
        match caller.keys().create_key(request).await {
            Ok(created) => {
                names.push(created.into_inner().key.unwrap().name);
                count.send_modify(|count| *count += 1);
            }
            Err(status) => {
                // Not a status of the server, but a lost connection.
                assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
                return names;
            }
        }
    }
}
