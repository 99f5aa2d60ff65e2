//! Connections that are lost, refused or silent.

use std::{net::SocketAddr, time::Duration};

use client::{ErrorKind, Question};
use tokio::{net::TcpListener, time::timeout};

use crate::{PATIENCE, builder, client_of, identify, new_key, relay::Relay, started, url};

/// Where nothing listens.
async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_restarted_server_is_called_again() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let client = client_of(&server, relay.address);
    identify(&client, &api_key).await;

    relay.close();
    let error = client.verify(Question::new(&api_key)).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Unavailable, None), "{error:?}");

    let server = server.restart_with(&[]).await;
    relay.lead_to(server.verify);
    identify(&client, &api_key).await;
}

#[tokio::test]
async fn a_cut_connection_fails_no_call() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let client = client_of(&server, relay.address);
    for _ in 0..10 {
        identify(&client, &api_key).await;
        relay.lead_to(server.verify);
    }
}

#[tokio::test]
async fn a_call_to_a_silent_server_ends_at_its_deadline() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let ask = async |address: SocketAddr| {
        let short = builder(&server.root).deadline(Duration::from_millis(200));
        let client = short.endpoint(url(address)).connect().unwrap();
        timeout(PATIENCE, client.verify(Question::new(&api_key))).await.unwrap().unwrap_err()
    };
    let silent = Relay::silent().await;
    let error = ask(silent.address).await;
    assert!(
        matches!(error.kind(), ErrorKind::DeadlineExceeded | ErrorKind::Unavailable),
        "no handshake: {error:?}"
    );

    // On an established connection.
    let relay = Relay::to(server.verify).await;
    let client = builder(&server.root).endpoint(url(relay.address));
    let client = client.deadline(Duration::from_millis(500)).connect().unwrap();
    identify(&client, &api_key).await;
    relay.silence();
    let asked = timeout(PATIENCE, client.verify(Question::new(&api_key)));
    assert_eq!(asked.await.unwrap().unwrap_err().kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test]
async fn calls_use_the_reachable_nodes() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let there = Relay::to(server.verify).await;
    let client = builder(&server.root)
        .endpoint(url(nowhere().await))
        .endpoint(url(there.address))
        .endpoint(url(nowhere().await))
        .connect()
        .unwrap();
    for _ in 0..200 {
        identify(&client, &api_key).await;
    }
}

#[tokio::test]
async fn a_restarted_node_is_called_again() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let one = Relay::to(server.verify).await;
    let other = Relay::to(server.verify).await;
    one.close();
    let both = builder(&server.root).endpoint(url(one.address)).endpoint(url(other.address));
    let client = both.connect().unwrap();
    for _ in 0..10 {
        identify(&client, &api_key).await;
    }
    one.lead_to(server.verify);
    for _ in 0..64 {
        identify(&client, &api_key).await;
    }
    // Only the restarted node is left.
    other.close();
    for _ in 0..10 {
        identify(&client, &api_key).await;
    }
}

#[tokio::test]
async fn a_silent_node_is_probed_without_failing_a_call() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let silent = Relay::to(server.verify).await;
    let there = Relay::to(server.verify).await;
    let both = builder(&server.root).endpoint(url(silent.address)).endpoint(url(there.address));
    let client = both.deadline(Duration::from_secs(2)).connect().unwrap();
    identify(&client, &api_key).await;
    identify(&client, &api_key).await;
    silent.silence();
    let error = client.verify(Question::new(&api_key)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    for _ in 0..64 {
        identify(&client, &api_key).await;
    }
}

#[tokio::test]
async fn a_node_whose_calls_are_dropped_late_counts_as_failing() {
    let (server, _) = started().await;
    let (_, api_key) = new_key(&server).await;
    let silent = Relay::to(server.verify).await;
    let both = builder(&server.root).endpoint(url(silent.address)).endpoint(url(server.verify));
    let client = both.deadline(Duration::from_secs(4)).connect().unwrap();
    identify(&client, &api_key).await;
    identify(&client, &api_key).await;
    silent.silence();
    let impatient = timeout(Duration::from_secs(3), client.verify(Question::new(&api_key)));
    assert!(impatient.await.is_err());
    for _ in 0..4 {
        identify(&client, &api_key).await;
    }
}
