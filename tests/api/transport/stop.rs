//! A client that is slow to read when the server stops.

use proto::WatchAuditEventsRequest;
use testkit::server::Server;
use tokio::{net::TcpStream, time::timeout};

use super::{
    PATIENCE,
    answers::large,
    unread::{answered, ask, connect},
};

/// Much more than a connection buffers: 20 KB each.
const EVENTS: usize = 60;

#[tokio::test]
async fn a_stop_does_not_wait_for_a_slow_watch() {
    let server = Server::start().await;
    server.project("acme").await;
    for _ in 0..EVENTS {
        server.key("acme", large()).await;
    }
    let request = WatchAuditEventsRequest { parent: "projects/acme".into(), ..Default::default() };
    let client = connect(server.admin).await;
    let watch = ask(&server, &client, "AuditService/WatchAuditEvents", &request).await;
    let mut answers = answered(watch).await.into_body();
    // Its first events have arrived, and no more come before they are read.
    let first = timeout(PATIENCE, answers.data()).await.unwrap().unwrap().unwrap();
    let admin = server.admin;
    let stopped = tokio::spawn(server.stop());
    // The stop has begun once no connection is accepted.
    timeout(PATIENCE, async { while TcpStream::connect(admin).await.is_ok() {} }).await.unwrap();
    let mut read = first.len();
    answers.flow_control().release_capacity(first.len()).unwrap();
    while let Some(data) = timeout(PATIENCE, answers.data()).await.unwrap() {
        let data = data.unwrap();
        read += data.len();
        answers.flow_control().release_capacity(data.len()).unwrap();
    }
    let trailers = answers.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
    assert!(read < EVENTS * 20_000 / 2, "{read} bytes were sent before the end");
    stopped.await.unwrap();
}
