//! A connection remembers whom it let in last, and takes nobody else for that caller, nor that caller for longer
//! than its credential lasts.

use std::time::Duration;

use proto::{Key, RotateKeyRequest, key::Expiration};
use testkit::{
    forge::with_wrong_secret,
    rpc::call,
    server::{Server, channel},
};
use tonic::transport::Channel;

use super::{HARMLESS, assert_same, bearer, refusal, system_key};

use crate::calls::{TICK, at, span};

/// Shorter than an answer may be old, so that nothing but its end can end a session.
const SPAN: Duration = Duration::from_secs(10);

/// How to call a listener.
const ASKS: &str = "/keystile.v1.VerifyService/Verify";

/// A connection to each listener, with something that every system key may call there.
fn connections(server: &Server) -> [(Channel, &'static str); 2] {
    [(channel(server.admin), HARMLESS), (channel(server.verify), ASKS)]
}

async fn is_let_in((channel, path): &(Channel, &'static str), api_key: &str) -> bool {
    match call(channel, path, bearer(api_key), &[]).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status:?}");
            false
        }
    }
}

/// As behind a proxy that puts all its callers on one connection.
#[tokio::test]
async fn of_two_callers_in_turn_each_is_taken_for_itself() {
    let server = Server::start().await;
    let expected = refusal(&server).await;
    let (_, valid) = system_key(&server, Key::default()).await;
    server.project("acme").await;
    let (_, tenant) = server.key("acme", Key::default()).await;
    let wrong = [with_wrong_secret(&valid), with_wrong_secret(&server.root)];
    for wrong in &wrong {
        assert_eq!(wrong.len(), server.root.len());
    }
    for connection in connections(&server) {
        for _ in 0..3 {
            for wrong in wrong.iter().chain([&tenant]) {
                assert!(is_let_in(&connection, &valid).await);
                let refused = call(&connection.0, connection.1, bearer(wrong), &[]).await;
                assert_same(&refused.unwrap_err(), &expected, "after a caller that is let in");
                assert!(is_let_in(&connection, &server.root).await);
                assert!(!is_let_in(&connection, wrong).await);
            }
        }
    }
    // A stream on the same connection is no other caller's either.
    let verify = channel(server.verify);
    for wrong in wrong {
        let mut talk = server.talk_on(verify.clone(), &valid, None).await.unwrap();
        talk.goes_on().await.unwrap();
        assert!(server.talk_on(verify.clone(), &wrong, None).await.is_err());
        talk.goes_on().await.unwrap();
    }
}

/// Each call is answered by what the connection remembers, until the very end.
#[tokio::test]
async fn a_caller_that_expires_is_out_at_its_end() {
    let server = Server::start().await;
    let ttl = Expiration::Ttl(span(SPAN));
    let (_, api_key) = system_key(&server, Key { expiration: Some(ttl), ..Default::default() }).await;
    ends_with(&server, &api_key).await;
}

#[tokio::test]
async fn a_caller_in_grace_is_out_at_its_end() {
    let server = Server::start().await;
    let (name, old) = system_key(&server, Key::default()).await;
    let rotate = RotateKeyRequest { name, grace_period: Some(span(SPAN)), ..Default::default() };
    let new = server.keys().rotate_key(rotate).await.unwrap().into_inner().api_key;
    ends_with(&server, &old).await;
    for connection in connections(&server) {
        assert!(is_let_in(&connection, &new).await);
    }
}

/// The caller's time is over after [`SPAN`]: calls on open connections, a stream that asks and one that does not.
async fn ends_with(server: &Server, api_key: &str) {
    let connections = connections(server);
    let mut talks = Vec::new();
    for _ in 0..2 {
        talks.push(server.talk_on(connections[1].0.clone(), api_key, None).await.unwrap());
    }
    for step in [Duration::ZERO, SPAN - TICK] {
        server.clock.advance(step);
        for connection in &connections {
            for _ in 0..3 {
                assert!(is_let_in(connection, api_key).await, "before its end");
            }
        }
        for talk in &mut talks {
            talk.goes_on().await.unwrap();
        }
    }
    server.clock.advance(TICK);
    for connection in &connections {
        assert!(!is_let_in(connection, api_key).await, "at its end");
    }
    let [asking, idle] = &mut talks[..] else { panic!("there are two") };
    for end in [asking.goes_on().await.unwrap_err(), idle.ends_by_itself().await] {
        assert_same(&end, &refusal(server).await, "at its end");
    }
}

/// A key of another project is refused, however often, and that is no use of it.
#[tokio::test]
async fn a_tenants_key_that_is_refused_is_not_used() {
    let server = Server::start().await;
    server.project("acme").await;
    let (tenant, api_key) = server.key("acme", Key::default()).await;
    let (caller, caller_api_key) = system_key(&server, Key::default()).await;
    let connections = connections(&server);
    for connection in &connections {
        for _ in 0..3 {
            assert!(is_let_in(connection, &caller_api_key).await);
            assert!(!is_let_in(connection, &api_key).await);
        }
    }
    assert!(server.talk_on(connections[1].0.clone(), &api_key, None).await.is_err());
    let server = server.restart_with(&[]).await;
    let after = server.get(&tenant.name).await.unwrap();
    assert_eq!(after.last_used_time, None);
    assert_eq!(after.secrets[0].last_used_time, None);
    let caller = server.get(&caller).await.unwrap();
    assert_eq!(caller.last_used_time, Some(at(Duration::ZERO)), "who is let in uses its key");
}
