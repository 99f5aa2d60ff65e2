//! A client that requests more than it reads.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use prost::Message;
use proto::{BatchVerifyRequest, CreateKeyRequest, CreateKeyResponse, Key, ListKeysRequest, VerifyRequest};
use testkit::{
    http2::{PREFIX, message},
    server::Server,
};
use tokio::{net::TcpStream, time::timeout};
use tonic::codegen::http::{Request, Response};

use super::{PATIENCE, answers::large, assert_others_are_served};

/// A connection with a small window for each stream, so that responses begin to arrive and then wait to be read.
pub(super) async fn connect(listener: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(listener).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (client, connection) = builder
        .initial_window_size(1000)
        .initial_connection_window_size(1 << 30)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// Starts a call with the root key.
pub(super) async fn ask(
    server: &Server,
    client: &SendRequest<Bytes>,
    method: &str,
    question: &impl Message,
) -> ResponseFuture {
    let request = Request::post(format!("http://localhost/keystile.v1.{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", server.root));
    let mut client = client.clone().ready().await.unwrap();
    let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(message(&question.encode_to_vec()).into(), true).unwrap();
    response
}

pub(super) async fn answered(response: ResponseFuture) -> Response<h2::RecvStream> {
    timeout(PATIENCE, response).await.unwrap().unwrap()
}

#[tokio::test]
async fn unread_responses_of_a_connection_are_bounded() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", large()).await;
    let client = connect(server.verify).await;
    let question = VerifyRequest { api_key, ..Default::default() };
    let batch = BatchVerifyRequest { requests: vec![question; 200] };
    let ask = async || answered(ask(&server, &client, "VerifyService/BatchVerify", &batch).await).await;
    let mut unread = Vec::new();
    let refused = loop {
        let response = ask().await;
        if response.headers().contains_key("grpc-status") {
            break response;
        }
        unread.push(response);
        assert!(unread.len() < 20, "the server buffers every response");
    };
    assert_eq!(refused.headers()["grpc-status"], "8");
    assert!(refused.headers().contains_key("grpc-status-details-bin"));
    assert!(unread.len() >= 4, "too few responses were buffered: {}", unread.len());
    // Other connections have room, and this one once the client reads or gives up.
    assert_others_are_served(&server).await;
    unread.clear();
    let again = timeout(PATIENCE, async { while ask().await.headers().contains_key("grpc-status") {} });
    again.await.expect("a response that the client gave up still counts");
}

/// The API key is in the response and nowhere else.
#[tokio::test]
async fn the_response_of_a_creation_is_always_sent() {
    let server = Server::start().await;
    server.project("acme").await;
    for _ in 0..50 {
        server.key("acme", large()).await;
    }
    let client = connect(server.admin).await;
    let mut unread = Vec::new();
    // Smaller and smaller pages, until less room is left than one key needs.
    for page_size in [100, 10, 1] {
        let page = ListKeysRequest { parent: "projects/acme".into(), page_size, ..Default::default() };
        loop {
            let response = answered(ask(&server, &client, "KeyService/ListKeys", &page).await).await;
            if let Some(refused) = response.headers().get("grpc-status") {
                assert_eq!(refused, "8");
                break;
            }
            unread.push(response);
            assert!(unread.len() < 100, "the server buffers every response");
        }
    }
    let key = Key { environment: "production".into(), ..large() };
    let request = CreateKeyRequest { parent: "projects/acme".into(), key: Some(key), ..Default::default() };
    let response = answered(ask(&server, &client, "KeyService/CreateKey", &request).await).await;
    let created = CreateKeyResponse::decode(&whole(response).await[PREFIX..]).unwrap();
    assert!(!created.api_key.is_empty());
}

async fn whole(response: Response<h2::RecvStream>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut whole = Vec::new();
    while let Some(data) = timeout(PATIENCE, body.data()).await.unwrap() {
        let data = data.unwrap();
        whole.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    whole
}
