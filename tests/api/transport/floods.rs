//! Clients that flood a connection with frames.

use testkit::{
    http2::{
        CANCEL, Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
        frame, header_block,
    },
    server::Server,
};
use tokio::io::AsyncWriteExt;

use super::{VERIFY, assert_others_are_served};

/// The id of the client's nth stream: clients use odd numbers.
fn stream(count: u32) -> u32 {
    2 * count + 1
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.root);
    for credential in [&[][..], &[("authorization", bearer.as_str())]] {
        let block = header_block(VERIFY, credential);
        let mut hostile = Connection::open(server.verify).await;
        let mut hung_up = false;
        for round in 0..100 {
            let mut batch = Vec::new();
            for count in round * 1000..(round + 1) * 1000 {
                batch.extend(frame(HEADERS, END_HEADERS, stream(count), &block));
                batch.extend(frame(RST_STREAM, 0, stream(count), &CANCEL));
            }
            hung_up = hostile.send(&batch).await.is_err();
            assert_others_are_served(&server).await;
            if hung_up {
                break;
            }
        }
        assert!(hung_up, "the connection survived 100,000 resets");
    }
}

#[tokio::test]
async fn a_flood_of_resets_is_answered_with_goaway() {
    let server = Server::start().await;
    let block = header_block(VERIFY, &[]);
    let mut hostile = Connection::open(server.verify).await;
    let mut batch = Vec::new();
    for count in 0..200 {
        batch.extend(frame(HEADERS, END_HEADERS, stream(count), &block));
        batch.extend(frame(RST_STREAM, 0, stream(count), &CANCEL));
    }
    hostile.send(&batch).await.unwrap();
    let mut reason = None;
    while let Some(frame) = hostile.receive().await {
        if frame.kind == GOAWAY {
            reason = Some(frame.payload[7]);
        }
    }
    assert_eq!(reason, Some(0xb), "ENHANCE_YOUR_CALM");
    assert_others_are_served(&server).await;
}

#[tokio::test]
async fn open_streams_are_limited() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.root);
    let block = header_block(VERIFY, &[("authorization", &bearer)]);
    let mut hostile = Connection::open(server.verify).await;
    let mut batch = Vec::new();
    for count in 0..1025 {
        batch.extend(frame(HEADERS, END_HEADERS, stream(count), &block));
    }
    hostile.send(&batch).await.unwrap();
    assert_others_are_served(&server).await;
    let refused = hostile.rest_of(stream(1024)).await;
    let kinds: Vec<_> = refused.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [RST_STREAM], "the stream beyond the limit");
    assert_others_are_served(&server).await;
}

#[tokio::test]
async fn a_flood_of_pings_and_settings_delays_no_other_client() {
    let server = Server::start().await;
    for noise in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut hostile = Connection::open(server.verify).await.unread();
        for _ in 0..20 {
            // The server may close the connection.
            let _ = hostile.write_all(&noise.repeat(1000)).await;
            assert_others_are_served(&server).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_no_responses_delays_no_other() {
    let server = Server::start().await;
    let block = header_block("/grpc.health.v1.Health/Check", &[]);
    let mut deaf = Vec::new();
    for _ in 0..10 {
        let mut hostile = Connection::open(server.verify).await;
        let mut batch = Vec::new();
        for count in 0..500 {
            batch.extend(frame(HEADERS, END_HEADERS, stream(count), &block));
            let empty_message = [0; 5];
            batch.extend(frame(DATA, END_STREAM, stream(count), &empty_message));
        }
        hostile.send(&batch).await.unwrap();
        deaf.push(hostile);
        assert_others_are_served(&server).await;
    }
}
