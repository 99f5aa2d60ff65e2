//! The metrics endpoint.

use std::time::Duration;

use futures_util::poll;
use proto::{BatchVerifyRequest, GetKeyRequest, Key, StreamVerifyRequest, VerifyRequest};
use testkit::{
    forge::{damaged, with_wrong_secret},
    rpc::{authorization, call},
    server::{Server, channel},
    telemetry::get,
};
use tokio::time::timeout;
use tonic::{Request, metadata::MetadataMap};
use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_client::ServerReflectionClient};

use crate::calls::verify;

/// The value of this series on the server's page; `None` if it is not there.
async fn value(server: &Server, series: &str) -> Option<f64> {
    let page = get(server.metrics, "/metrics").await;
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|number| number.parse().unwrap())
}

async fn verifications(server: &Server, code: &str) -> f64 {
    value(server, &format!("keystile_verifications_total{{code=\"{code}\"}}")).await.unwrap()
}

async fn calls(server: &Server, method: &str, status: &str) -> Option<f64> {
    let labels =
        format!(r#"rpc_method="{method}",rpc_response_status_code="{status}",rpc_system_name="grpc""#);
    value(server, &format!("rpc_server_call_duration_seconds_count{{{labels}}}")).await
}

#[tokio::test]
async fn every_decision_is_counted_once_by_its_code() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    assert_eq!(verifications(&server, "VALID").await, 0.0, "callers of ours are not counted");
    for _ in 0..3 {
        server.code(&api_key).await;
    }
    server.code(&with_wrong_secret(&api_key)).await;
    let requests = vec![verify(&api_key), verify(&damaged(&api_key, 12)), verify(&api_key)];
    server.verifier().batch_verify(BatchVerifyRequest { requests }).await.unwrap();
    let questions = [&api_key, "", &api_key].map(|it| StreamVerifyRequest { request: Some(verify(it)) });
    let mut answers =
        server.verifier().stream_verify(tokio_stream::iter(questions)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    assert_eq!(verifications(&server, "VALID").await, 7.0);
    assert_eq!(verifications(&server, "NOT_FOUND").await, 1.0);
    assert_eq!(verifications(&server, "MALFORMED").await, 2.0);
    assert_eq!(verifications(&server, "REVOKED").await, 0.0, "a code that was never returned has its series");
}

#[tokio::test]
async fn calls_are_timed_by_method_and_status() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    for _ in 0..2 {
        server.code(&api_key).await;
    }
    let request = GetKeyRequest { name: "projects/acme/keys/none".into() };
    server.keys().get_key(request).await.unwrap_err();
    let strange = channel(server.admin);
    let root = || authorization(&format!("Bearer {}", server.root));
    call(&strange, "/keystile.v1.KeyService/GetKey", MetadataMap::new(), &[]).await.unwrap_err();
    for made_up in ["/keystile.v1.KeyService/Get", "/a/b", "/c/d"] {
        call(&strange, made_up, root(), &[]).await.unwrap_err();
    }
    let key = "keystile.v1.KeyService/GetKey";
    for (method, status, expected) in [
        ("keystile.v1.VerifyService/Verify", "OK", 2.0),
        ("keystile.v1.KeyService/CreateKey", "OK", 1.0),
        (key, "INVALID_ARGUMENT", 1.0),
        (key, "UNAUTHENTICATED", 1.0),
        ("_OTHER", "UNIMPLEMENTED", 3.0),
    ] {
        assert_eq!(calls(&server, method, status).await, Some(expected), "{method} {status}");
    }
    assert_eq!(calls(&server, key, "OK").await, None);
    let page = get(server.metrics, "/metrics").await;
    assert!(!page.contains("/a/b"), "no caller makes up a series");
}

#[tokio::test]
async fn a_call_that_the_client_gives_up_counts_as_cancelled() {
    let server = Server::start().await;
    let mut client = server.verifier();
    let mut other = client.clone();
    other.verify(verify("no key")).await.unwrap();
    // The call waits: while the change log cannot be read, the node does not know whether the revision exists.
    server.database.execute("ALTER TABLE audit_events RENAME TO elsewhere").await;
    let wait = VerifyRequest { min_revision: i64::MAX, ..verify(&server.root) };
    let mut wait = Request::new(wait);
    wait.set_timeout(Duration::from_secs(60));
    let mut waiting = Box::pin(client.verify(wait));
    assert!(poll!(&mut waiting).is_pending());
    // On the same connection, so that the first call has begun when this one is answered.
    other.verify(verify("no key")).await.unwrap();
    drop(waiting);
    let timed =
        async { while calls(&server, "keystile.v1.VerifyService/Verify", "CANCELLED").await.is_none() {} };
    timeout(Duration::from_secs(30), timed).await.unwrap();
}

#[tokio::test]
async fn streams_have_no_durations() {
    let server = Server::start().await;
    let questions = tokio_stream::iter([StreamVerifyRequest::default()]);
    let mut answers = server.verifier().stream_verify(questions).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let mut reflection = ServerReflectionClient::new(channel(server.verify));
    let nothing = tokio_stream::iter([ServerReflectionRequest::default()]);
    reflection.server_reflection_info(nothing).await.unwrap();
    for method in [
        "keystile.v1.VerifyService/StreamVerify",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "_OTHER",
    ] {
        assert_eq!(calls(&server, method, "OK").await, None, "{method}");
    }
    assert_eq!(verifications(&server, "MALFORMED").await, 1.0);
}

#[tokio::test]
async fn the_page_is_prometheus_text_and_is_the_only_path() {
    let server = Server::start().await;
    let page = get(server.metrics, "/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{page}");
    assert!(page.contains("\n# TYPE keystile_verifications_total counter\n"), "{page}");
    assert!(page.contains(r#"service_name="keystile""#), "{page}");
    let elsewhere = get(server.metrics, "/").await;
    assert!(elsewhere.starts_with("HTTP/1.1 404 ") && elsewhere.contains("/metrics"), "{elsewhere}");
}
