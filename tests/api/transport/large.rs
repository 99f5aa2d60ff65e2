//! Messages and headers that are too large.

use prost::Message;
use proto::{Code, VerifyRequest, VerifyResponse};
use testkit::{
    http2::{
        CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame,
        header_block, message,
    },
    rpc::{authorization, call},
    server::{Server, channel},
    status::reason,
};
use tonic::{Code as Grpc, metadata::MetadataMap};

use super::{VERIFY, assert_others_are_served};

const FOUR_MEBIBYTES: usize = 4 * 1024 * 1024;

fn bearer(server: &Server) -> String {
    format!("Bearer {}", server.root)
}

/// A request of exactly this many bytes.
fn of_size(size: usize) -> Vec<u8> {
    let request = |length: usize| VerifyRequest { api_key: "x".repeat(length), ..Default::default() };
    let overhead = request(size).encoded_len() - size;
    let request = request(size - overhead).encode_to_vec();
    assert_eq!(request.len(), size);
    request
}

#[tokio::test]
async fn four_mebibytes_are_read_and_one_byte_more_is_refused() {
    let server = Server::start().await;
    let channel = channel(server.verify);
    let headers = || authorization(&bearer(&server));
    for _ in 0..2 {
        let answer = call(&channel, VERIFY, headers(), &of_size(FOUR_MEBIBYTES)).await;
        let answer = VerifyResponse::decode(answer.unwrap().as_slice()).unwrap();
        assert_eq!(answer.code(), Code::Malformed);

        let refused = call(&channel, VERIFY, headers(), &of_size(FOUR_MEBIBYTES + 1)).await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused, Grpc::ResourceExhausted), "TOO_LARGE");
        assert!(refused.message().contains("4194304"), "{refused:?}");
        assert_others_are_served(&server).await;
    }
}

#[tokio::test]
async fn large_bodies_of_unauthenticated_callers_are_not_read() {
    let server = Server::start().await;
    let mut stranger = Connection::open(server.verify).await;
    let begin = frame(HEADERS, END_HEADERS, 1, &header_block(VERIFY, &[]));
    stranger.send(&begin).await.unwrap();
    let answer = stranger.rest_of(1).await;
    assert!(answer.iter().any(|it| it.kind == HEADERS), "not refused before the body: {answer:?}");

    let body = of_size(8 * FOUR_MEBIBYTES);
    let refused = call(&channel(server.verify), VERIFY, MetadataMap::new(), &body).await;
    assert!(refused.is_err());
    assert_others_are_served(&server).await;
}

#[tokio::test]
async fn a_length_prefix_beyond_the_limit_is_refused_at_once() {
    let server = Server::start().await;
    let mut hostile = Connection::open(server.verify).await;
    let block = header_block(VERIFY, &[("authorization", &bearer(&server))]);
    let mut claim = frame(HEADERS, END_HEADERS, 1, &block);
    claim.extend(frame(DATA, 0, 1, &[0, 0xff, 0xff, 0xff, 0xff]));
    hostile.send(&claim).await.unwrap();
    let answer = hostile.rest_of(1).await;
    assert!(answer.iter().any(|it| it.kind == HEADERS), "{answer:?}");
    assert_others_are_served(&server).await;
}

#[tokio::test]
async fn a_hundred_kibibytes_of_headers_affect_no_other_client() {
    let server = Server::start().await;
    let long = "x".repeat(100 * 1024);
    for name in ["x-long", "authorization"] {
        let mut hostile = Connection::open(server.verify).await;
        let block = header_block(VERIFY, &[(name, &long)]);
        let mut chunks = block.chunks(16_384).peekable();
        let first = chunks.next().unwrap();
        let begin = frame(HEADERS, END_STREAM, 1, first);
        hostile.send(&begin).await.unwrap();
        while let Some(chunk) = chunks.next() {
            assert_others_are_served(&server).await;
            let flags = if chunks.peek().is_none() { END_HEADERS } else { 0 };
            // The server may refuse before the end.
            if hostile.send(&frame(CONTINUATION, flags, 1, chunk)).await.is_err() {
                break;
            }
        }
        let answer = hostile.rest_of(1).await;
        let refused = |kind: u8| [HEADERS, RST_STREAM, GOAWAY].contains(&kind);
        assert!(answer.iter().all(|it| refused(it.kind)), "{answer:?}");
        assert_others_are_served(&server).await;
    }
}

#[tokio::test]
async fn endless_headers_end_the_connection() {
    let server = Server::start().await;
    let mut hostile = Connection::open(server.verify).await;
    let begin = frame(HEADERS, 0, 1, &header_block(VERIFY, &[]));
    hostile.send(&begin).await.unwrap();
    let more = frame(CONTINUATION, 0, 1, &[]).repeat(1000);
    let mut hung_up = false;
    for _ in 0..200 {
        hung_up = hostile.send(&more).await.is_err();
        assert_others_are_served(&server).await;
        if hung_up {
            break;
        }
    }
    assert!(hung_up, "the server reads without a limit");
}

#[tokio::test]
async fn a_valid_handmade_call_is_answered() {
    // Otherwise the other tests in this file would prove nothing.
    let server = Server::start().await;
    let mut connection = Connection::open(server.verify).await;
    let block = header_block(VERIFY, &[("authorization", &bearer(&server))]);
    let request = VerifyRequest { api_key: server.root.clone(), ..Default::default() };
    let mut call = frame(HEADERS, END_HEADERS, 1, &block);
    let body = message(&request.encode_to_vec());
    call.extend(frame(DATA, END_STREAM, 1, &body));
    connection.send(&call).await.unwrap();
    let answer = connection.rest_of(1).await;
    let data = answer.iter().find(|it| it.kind == DATA).expect("a message");
    let response = VerifyResponse::decode(&data.payload[5..]).unwrap();
    assert_eq!(response.code(), Code::Valid);
}
