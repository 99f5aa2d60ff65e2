//! Clients that send slowly.

use prost::Message;
use proto::{Code, VerifyRequest, VerifyResponse};
use testkit::{
    http2::{
        Connection, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, frame, header_block, message,
    },
    server::Server,
    status::reason,
};
use tokio::net::TcpStream;
use tonic::{Status, codegen::http};

use super::{VERIFY, assert_others_are_served};

#[tokio::test]
async fn a_slow_body_delays_no_other_client() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.root);
    let block = header_block(VERIFY, &[("authorization", &bearer)]);
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open(server.verify).await;
        let begin = frame(HEADERS, END_HEADERS, 1, &block);
        connection.send(&begin).await.unwrap();
        slow.push(connection);
    }
    let request = VerifyRequest { api_key: "drop".into(), ..Default::default() };
    let body = message(&request.encode_to_vec());
    for (at, byte) in body.iter().enumerate() {
        let flags = if at + 1 == body.len() { END_STREAM } else { 0 };
        let drop = frame(DATA, flags, 1, &[*byte]);
        for connection in &mut slow {
            connection.send(&drop).await.unwrap();
        }
        assert_others_are_served(&server).await;
    }
    for mut connection in slow {
        let answer = connection.rest_of(1).await;
        let data = answer.iter().find(|it| it.kind == DATA).expect("a message");
        let response = VerifyResponse::decode(&data.payload[5..]).unwrap();
        assert_eq!(response.code(), Code::Malformed, "the slow call is answered in the end");
    }
}

#[tokio::test]
async fn slow_headers_delay_no_other_client() {
    let server = Server::start().await;
    let mut slow = Connection::silent(server.verify).await;
    let mut begin = PREFACE.to_vec();
    begin.extend(frame(SETTINGS, 0, 0, &[]));
    let block = header_block(VERIFY, &[]);
    begin.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
    for (at, byte) in begin.iter().enumerate() {
        slow.send(&[*byte]).await.unwrap();
        if at % 10 == 0 {
            assert_others_are_served(&server).await;
        }
    }
    let answer = slow.rest_of(1).await;
    assert!(answer.iter().any(|it| it.kind == HEADERS), "{answer:?}");
}

#[tokio::test]
async fn silent_connections_delay_no_other_client() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for round in 0..200 {
        for listener in [server.verify, server.admin] {
            let mut connection = Connection::silent(listener).await;
            match round % 3 {
                0 => {}
                1 => connection.send(&PREFACE[..12]).await.unwrap(),
                _ => connection.send(PREFACE).await.unwrap(),
            }
            silent.push(connection);
        }
        if round % 20 == 0 {
            assert_others_are_served(&server).await;
        }
    }
    assert_others_are_served(&server).await;
    server.project("acme").await;
    drop(silent);
}

/// A very short deadline ends the call with DEADLINE_EXCEEDED and its reason, not with the error of another timer.
#[tokio::test]
async fn the_shortest_deadlines_end_with_their_reason() {
    let server = Server::start().await;
    let stream = TcpStream::connect(server.admin).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for deadline in ["1n", "1u", "500u", "1m", "2m"] {
        for _ in 0..40 {
            let request = http::Request::post("http://localhost/keystile.v1.AuditService/VerifyAuditChain")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("grpc-timeout", deadline)
                .header("authorization", format!("Bearer {}", server.root));
            client = client.ready().await.unwrap();
            let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
            body.send_data(vec![0; 5].into(), true).unwrap();
            let response = response.await.unwrap();
            // A response without a status in the headers came in time.
            if let Some(status) = Status::from_header_map(response.headers()) {
                assert_eq!(reason(&status, tonic::Code::DeadlineExceeded), "TIME_LIMIT", "{deadline}");
            }
        }
    }
}
