//! The log: nothing about clients that misbehave, and one line for hundreds of equal failures.

use proto::GetProjectRequest;
use testkit::{
    database::{Database, Kind},
    http2::{CANCEL, Connection, END_HEADERS, HEADERS, PREFACE, RST_STREAM, frame, header_block},
};
use tonic::Code;

use crate::home::Home;

#[tokio::test]
async fn misbehaving_clients_cause_no_log_lines() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    for listener in [serving.verify, serving.admin] {
        // Floods of resets, for which the server closes each connection.
        let block = header_block("/keystile.v1.VerifyService/Verify", &[]);
        for _ in 0..3 {
            let mut hostile = Connection::open(listener).await;
            let mut batch = Vec::new();
            for number in 0..300 {
                batch.extend(frame(HEADERS, END_HEADERS, 2 * number + 1, &block));
                batch.extend(frame(RST_STREAM, 0, 2 * number + 1, &CANCEL));
            }
            hostile.send(&batch).await.unwrap();
            hostile.ends().await;
        }
        // No HTTP/2, half a frame, a reset connection.
        for hello in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[PREFACE, &[0, 0, 9, 1]].concat(), &[0xff; 64]] {
            let mut stranger = Connection::silent(listener).await;
            stranger.send(hello).await.unwrap();
            drop(stranger);
        }
    }
    serving.caller(&root).create_project().await;
    let ended = serving.stop().await;
    let loud = |line: &&str| line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#);
    assert_eq!(ended.stderr.lines().find(loud), None);
}

#[tokio::test]
async fn many_equal_failures_are_logged_once() {
    let database = Database::empty(Kind::Sqlite).await;
    let home = Home::on(&database);
    let serving = home.serve().await;
    let caller = serving.caller(&serving.root().await);
    caller.create_project().await;
    database.execute("UPDATE projects SET prefix = 'NO PREFIX' WHERE id = 'acme'").await;
    for _ in 0..50 {
        let request = GetProjectRequest { name: "projects/acme".into() };
        let failed = caller.projects().get_project(request).await;
        assert_eq!(failed.unwrap_err().code(), Code::Internal);
    }
    let ended = serving.stop().await;
    assert_eq!(ended.stderr.matches("a call failed with an internal error").count(), 1, "{}", ended.stderr);
}
