//! Limits on health and reflection, which need no credential: the size of requests and the number of open calls.

use testkit::{
    server::{Server, channel},
    status::{metadata, reason},
};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use super::{PATIENCE, assert_others_are_served};

/// Longer than any name.
const LONG: usize = 17 * 1024;
/// How many calls may be open on one connection.
const MOST: usize = 32;

/// Whether a reflection request with this host is answered.
async fn is_reflected(server: &Server, host: &str) -> bool {
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: host.into(), message_request };
    let mut client = ServerReflectionClient::new(channel(server.verify));
    let answers = client.server_reflection_info(tokio_stream::once(request)).await;
    answers.unwrap().into_inner().message().await.unwrap().is_some()
}

#[tokio::test]
async fn large_requests_are_refused() {
    let server = Server::start().await;
    assert!(is_reflected(&server, "localhost").await);
    assert!(!is_reflected(&server, &"x".repeat(LONG)).await);
    let request = HealthCheckRequest { service: "x".repeat(LONG) };
    let refused = HealthClient::new(channel(server.verify)).check(request).await.unwrap_err();
    assert_eq!(reason(&refused, Code::ResourceExhausted), "TOO_LARGE");
    assert_eq!(metadata(&refused, "limit_bytes").as_deref(), Some("16384"));
}

type Watch = Streaming<HealthCheckResponse>;

async fn watch(client: &HealthClient<tonic::transport::Channel>) -> Result<Watch, Status> {
    Ok(client.clone().watch(HealthCheckRequest::default()).await?.into_inner())
}

#[tokio::test]
async fn open_calls_on_a_connection_are_limited() {
    let server = Server::start().await;
    for listener in [server.verify, server.admin] {
        let client = HealthClient::new(channel(listener));
        let mut watches = Vec::new();
        for _ in 0..MOST {
            watches.push(watch(&client).await.unwrap());
        }
        let refused = watch(&client).await.unwrap_err();
        assert_eq!(reason(&refused, Code::Unavailable), "OVERLOADED");
        // Other connections have their own limit, and this one has room once a call has ended.
        watch(&HealthClient::new(channel(listener))).await.unwrap();
        assert_others_are_served(&server).await;
        watches.pop();
        let again = timeout(PATIENCE, async { while watch(&client).await.is_err() {} });
        again.await.expect("an ended call still counts");
    }
}
