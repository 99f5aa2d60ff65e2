//! A client that asks for more than it reads.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use keystile::grpc::proto::{BatchVerifyRequest, VerifyRequest};
use prost::Message;
use tokio::{net::TcpStream, time::timeout};
use tonic::codegen::http::{Request, Response};

use crate::support::server::Server;

use super::{PATIENCE, answers::large, assert_others_are_served, wire::message};

/// A connection whose answers begin to come and are not read on, for want of room on each stream.
async fn connect(server: &Server) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(server.verify).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (client, connection) =
        builder.initial_connection_window_size(1 << 30).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(server: &Server, client: &SendRequest<Bytes>, api_key: &str) -> ResponseFuture {
    let request = Request::post("http://localhost/keystile.v1.VerifyService/BatchVerify")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", server.root));
    let mut client = client.clone().ready().await.unwrap();
    let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let question = VerifyRequest { api_key: api_key.into(), ..Default::default() };
    let batch = BatchVerifyRequest { requests: vec![question; 200] };
    body.send_data(message(&batch.encode_to_vec()).into(), true).unwrap();
    response
}

async fn answered(response: ResponseFuture) -> Response<h2::RecvStream> {
    timeout(PATIENCE, response).await.unwrap().unwrap()
}

#[tokio::test]
async fn only_so_much_is_kept_for_it() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", large()).await;
    let client = connect(&server).await;
    let mut unread = Vec::new();
    let refused = loop {
        let response = answered(ask(&server, &client, &api_key).await).await;
        if response.headers().contains_key("grpc-status") {
            break response;
        }
        unread.push(response);
        assert!(unread.len() < 20, "all of them are kept");
    };
    assert_eq!(refused.headers()["grpc-status"], "8");
    assert!(refused.headers().contains_key("grpc-status-details-bin"));
    assert!(unread.len() >= 4, "a few may wait: {}", unread.len());
    // For others there is room, and for this one once it reads or gives up.
    assert_others_are_served(&server).await;
    unread.clear();
    let again = timeout(PATIENCE, async {
        while answered(ask(&server, &client, &api_key).await).await.headers().contains_key("grpc-status") {}
    });
    again.await.expect("what is given up counts no more");
}
