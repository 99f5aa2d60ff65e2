//! A tonic service behind the guard.

use std::{net::SocketAddr, sync::Arc};

use client::{Guard, Identity};
use testkit::server::{Bearer, channel};
use tokio::{net::TcpListener, spawn};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Status, transport};
use tonic_health::{
    pb::{HealthCheckRequest, health_client::HealthClient, health_server::HealthServer},
    server::{HealthReporter, HealthService},
};
use tonic_types::StatusExt;

use crate::{client_of, new_key, relay::Relay, started};

/// A service that must be guarded: it fails where there is no identity, or still an API key.
async fn serve(guard: Guard) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = HealthService::from_health_reporter(HealthReporter::new());
    let service = HealthServer::with_interceptor(service, |request: Request<()>| {
        let known = request.extensions().get::<Arc<Identity>>().is_some();
        let seen = request.metadata().contains_key("authorization");
        if known && !seen { Ok(request) } else { Err(Status::internal("not guarded")) }
    });
    let server = transport::Server::builder().layer(guard).add_service(service);
    spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

async fn ask(address: SocketAddr, api_key: Option<&str>) -> Result<(), Status> {
    let request = HealthCheckRequest::default();
    let answer = match api_key {
        Some(api_key) => {
            HealthClient::with_interceptor(channel(address), Bearer::new(api_key)).check(request).await
        }
        None => HealthClient::new(channel(address)).check(request).await,
    };
    answer.map(drop)
}

#[tokio::test]
async fn grpc_is_answered_as_grpc() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let guarded = serve(Guard::new(client_of(&server, relay.address)).environment("production")).await;
    ask(guarded, Some(&api_key)).await.unwrap();

    assert_eq!(ask(guarded, None).await.unwrap_err().code(), Code::Unauthenticated);
    let status = ask(guarded, Some("junk")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert!(!status.message().is_empty());
    let staging = proto::Key { environment: "staging".into(), ..Default::default() };
    let (_, elsewhere) = server.key("acme", staging).await;
    let status = ask(guarded, Some(&elsewhere)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");

    relay.close();
    let status = ask(guarded, Some(&api_key)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
}
