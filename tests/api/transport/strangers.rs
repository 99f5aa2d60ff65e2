//! Clients that do not speak HTTP/2 correctly.

use testkit::{
    http2::{Connection, DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, frame},
    server::Server,
};

use super::assert_others_are_served;

#[tokio::test]
async fn a_client_that_does_not_speak_http_2_is_disconnected() {
    let server = Server::start().await;
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 505]].concat();
    let other: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /keystile.v1.VerifyService/Verify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
          HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        &tls,
        &[0; 100],
    ];
    for hello in other {
        for listener in [server.verify, server.admin] {
            let mut stranger = Connection::silent(listener).await;
            stranger.send(hello).await.unwrap();
            assert_others_are_served(&server).await;
            let answer = stranger.ends().await;
            assert!(!answer.starts_with(b"HTTP/1.1"), "the server answers in HTTP/1.1");
        }
    }
}

#[tokio::test]
async fn invalid_frames_end_only_their_own_connection() {
    let server = Server::start().await;
    let too_long = vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1];
    for broken in [
        frame(DATA, 0, 0, b"on no stream"),
        frame(DATA, 0, 1, b"on a stream that is not open"),
        frame(SETTINGS, 0, 0, &[1]),
        frame(SETTINGS, 0, 7, &[]),
        too_long,
        frame(HEADERS, END_HEADERS, 2, &[0x82]),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 64]),
        PREFACE.to_vec(),
    ] {
        let mut stranger = Connection::open(server.verify).await;
        stranger.send(&broken).await.unwrap();
        stranger.ends().await;
        assert_others_are_served(&server).await;
    }
}
