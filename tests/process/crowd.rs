//! More connections than there are file descriptors: callers, newcomers, health checks and metrics are served.

use std::time::Duration;

use proto::{Code, VerifyRequest};
use testkit::{process::Process, server::channel};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    PATIENCE,
    held::Held,
    home::{Home, Serving},
};

/// A limit on descriptors, and more connections than that.
const DESCRIPTORS: usize = 256;
const CROWD: usize = 400;

async fn crowded(home: &Home) -> Serving {
    let script = format!("ulimit -n {DESCRIPTORS}; exec {}", env!("CARGO_BIN_EXE_keystile"));
    Serving::of(Process::spawn(home.command("/bin/sh").args(["-c", &script]))).await
}

#[tokio::test]
async fn idle_clients_keep_no_other_client_out() {
    let home = Home::embedded();
    let serving = crowded(&home).await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    let (_, api_key) = caller.create_key("before").await;
    assert_eq!(caller.code(&api_key).await, Code::Valid);
    let mut crowd = Vec::new();
    for listener in [serving.verify, serving.admin] {
        for _ in 0..CROWD {
            let stream = TcpStream::connect(listener).await.unwrap();
            // An idle client answers pings, and makes no calls.
            let (client, connection) = h2::client::handshake(stream).await.unwrap();
            crowd.push((client, tokio::spawn(connection)));
        }
        // Authenticated callers are still served on their connections, and new ones on theirs.
        assert_eq!(caller.code(&api_key).await, Code::Valid);
        let newcomer = serving.caller(&root);
        assert_eq!(newcomer.code(&api_key).await, Code::Valid);
        newcomer.create_key("meanwhile").await;
        HealthClient::new(channel(listener)).check(HealthCheckRequest::default()).await.unwrap();
    }
    let warning = serving.process.wait_for_line("connection limit reached").await;
    assert!(warning.contains("WARN"), "{warning}");
    drop(crowd);
    let ended = serving.stop().await;
    let warnings = ended.stderr.matches("connection limit reached").count();
    assert!((1..=4).contains(&warnings), "{warnings} for {} connections", 2 * CROWD);
}

#[tokio::test]
async fn a_connection_during_its_first_call_is_not_closed() {
    let home = Home::embedded();
    let serving = crowded(&home).await;
    let root = serving.root().await;
    let held = Held::verify(&serving.caller(&root)).await;
    let mut callers = Vec::new();
    let refused = loop {
        let caller = serving.caller(&root);
        match caller.verifier().verify(VerifyRequest::default()).await {
            Ok(_) => callers.push(caller),
            Err(status) => break status,
        }
        assert!(callers.len() < DESCRIPTORS, "more connections than descriptors");
    };
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    let answer = held.release(&root).await.unwrap();
    assert_eq!(answer.code(), Code::Valid);
    serving.stop().await;
}

async fn scrape(serving: &Serving) -> String {
    let mut connection = TcpStream::connect(serving.metrics).await.unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: keystile\r\n\r\n").await.unwrap();
    let mut page = String::new();
    // Reads until the server closes the connection: it serves one request on each.
    connection.read_to_string(&mut page).await.unwrap();
    page
}

#[tokio::test]
async fn idle_connections_to_the_metrics_keep_no_other_client_out() {
    let home = Home::embedded();
    let serving = crowded(&home).await;
    let root = serving.root().await;
    let mut silent = Vec::new();
    for _ in 0..CROWD {
        silent.push(TcpStream::connect(serving.metrics).await.unwrap());
    }
    let page = timeout(PATIENCE, scrape(&serving)).await.expect("no client is served");
    assert!(page.contains("keystile_verifications_total"), "{page}");
    let caller = serving.caller(&root);
    assert_eq!(caller.code(&root).await, Code::Valid);
    caller.create_project().await;
    // All of them are closed in the end, including the newest.
    for mut silent in silent {
        let ended =
            timeout(Duration::from_secs(30), silent.read_u8()).await.expect("an idle connection is kept");
        assert!(ended.is_err());
    }
    serving.stop().await;
}

#[tokio::test]
async fn the_soft_limit_is_raised() {
    let home = Home::embedded();
    let script = format!("ulimit -S -n 128; exec {}", env!("CARGO_BIN_EXE_keystile"));
    let serving = Serving::of(Process::spawn(home.command("/bin/sh").args(["-c", &script]))).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.process.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|at| files.split_whitespace().nth(at).unwrap());
    assert_eq!(soft, hard, "{files}");
    serving.stop().await;
}
