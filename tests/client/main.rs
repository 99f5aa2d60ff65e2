//! The Rust client on a server of this build: decisions, failures, and what its guard admits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in helpers too")]

mod batch;
mod connection;
mod guard;
mod guard_grpc;
mod relay;
mod secrets;
mod stream;
mod verify;

use std::{net::SocketAddr, time::Duration};

use client::{Builder, Client, Credential, Decision, Denial, Identity, Question};
use testkit::server::Server;

/// A generous limit: only a call that hangs takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with the project `acme`, and a client that calls it as root.
async fn started() -> (Server, Client) {
    let server = Server::start().await;
    server.project("acme").await;
    let client = client_of(&server, server.verify);
    (server, client)
}

fn client_of(server: &Server, address: SocketAddr) -> Client {
    builder(&server.root).endpoint(url(address)).connect().unwrap()
}

fn builder(credential: &str) -> Builder {
    Client::builder(Credential::new(credential).unwrap()).deadline(PATIENCE)
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// A new key of the project `acme` in production.
async fn new_key(server: &Server) -> (proto::Key, String) {
    named_key(server, "").await
}

async fn named_key(server: &Server, display_name: &str) -> (proto::Key, String) {
    server.key("acme", proto::Key { display_name: display_name.into(), ..Default::default() }).await
}

#[track_caller]
fn valid(decision: Decision) -> Identity {
    match decision {
        Decision::Valid(identity) => identity,
        Decision::Denied(denial) => panic!("{denial:?}"),
    }
}

#[track_caller]
fn denied(decision: Decision) -> Denial {
    match decision {
        Decision::Denied(denial) => denial,
        Decision::Valid(identity) => panic!("{identity:?}"),
    }
}

/// Verifies, and expects that the API key is valid.
async fn identify(client: &Client, api_key: &str) -> Identity {
    valid(client.verify(Question::new(api_key)).await.unwrap())
}
