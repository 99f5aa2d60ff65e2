//! More callers than the process has file descriptors for.

use std::{net::SocketAddr, process::Command};

use proto::{VerifyRequest, verify_service_client::VerifyServiceClient};
use tempfile::TempDir;
use testkit::{
    process::Process,
    server::{Bearer, channel},
};
use tonic::Status;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// The error for a caller that connects when all connections are taken by authenticated callers.
pub(super) async fn refused() -> Status {
    let directory = TempDir::new().unwrap();
    let binary = env!("CARGO_BIN_EXE_keystile");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n 256; exec {binary}")]).current_dir(directory.path()).env_clear();
    for listener in ["VERIFY", "ADMIN", "METRICS"] {
        command.env(format!("KEYSTILE_{listener}_LISTEN"), "127.0.0.1:0");
    }
    let process = Process::spawn(command.env("KEYSTILE_LOG_FORMAT", "json"));
    let line = process.wait_for_line(r#""message":"serving""#).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let verify: SocketAddr = line["listener.verify"].as_str().unwrap().parse().unwrap();
    let printed = process.prints("ProjectService/CreateProject").await;
    let root = printed.lines().find(|line| line.starts_with("keystile_live_")).unwrap();

    let mut callers = Vec::new();
    let refused = loop {
        let mut caller = VerifyServiceClient::with_interceptor(channel(verify), Bearer::new(root));
        let request = VerifyRequest { api_key: root.into(), ..Default::default() };
        match caller.verify(request).await {
            Ok(_) => callers.push(caller),
            Err(status) => break status,
        }
        assert!(callers.len() < 256, "more connections than descriptors");
    };
    // Existing callers are still served, and health checks get an answer.
    for caller in &mut callers {
        caller.verify(VerifyRequest::default()).await.unwrap();
    }
    HealthClient::new(channel(verify)).check(HealthCheckRequest::default()).await.unwrap();
    process.wait_for_line("connection limit reached").await;
    // Once a connection closes there is room.
    callers.truncate(callers.len() / 2);
    let mut caller = VerifyServiceClient::with_interceptor(channel(verify), Bearer::new(root));
    let served = async { while caller.verify(VerifyRequest::default()).await.is_err() {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), served).await.unwrap();
    refused
}
