//! A connection remembers the session of its last caller. It must not apply it to another credential, nor for longer
//! than the credential is valid.

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

/// Less than the bound on staleness, so that only the end of the credential can end a session.
const SPAN: Duration = Duration::from_secs(10);

/// How to call a listener.
const ASKS: &str = "/keystile.v1.VerifyService/Verify";

/// A connection to each listener, with a method that every system key may call there.
fn connections(server: &Server) -> [(Channel, &'static str); 2] {
    [(channel(server.admin), HARMLESS), (channel(server.verify), ASKS)]
}

async fn is_authenticated((channel, path): &(Channel, &'static str), api_key: &str) -> bool {
    match call(channel, path, bearer(api_key), &[]).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status:?}");
            false
        }
    }
}

/// As behind a proxy that sends the calls of all its clients on one connection.
#[tokio::test]
async fn two_callers_on_one_connection_are_authenticated_separately() {
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
                assert!(is_authenticated(&connection, &valid).await);
                let refused = call(&connection.0, connection.1, bearer(wrong), &[]).await;
                assert_same(&refused.unwrap_err(), &expected, "after a valid caller");
                assert!(is_authenticated(&connection, &server.root).await);
                assert!(!is_authenticated(&connection, wrong).await);
            }
        }
    }
    // The same holds for a stream on that connection.
    let verify = channel(server.verify);
    for wrong in wrong {
        let mut talk = server.talk_on(verify.clone(), &valid, None).await.unwrap();
        talk.is_answered().await.unwrap();
        assert!(server.talk_on(verify.clone(), &wrong, None).await.is_err());
        talk.is_answered().await.unwrap();
    }
}

/// The session that the connection remembers is used until the instant at which the key expires.
#[tokio::test]
async fn an_expired_caller_is_refused_from_that_instant() {
    let server = Server::start().await;
    let ttl = Expiration::Ttl(span(SPAN));
    let (_, api_key) = system_key(&server, Key { expiration: Some(ttl), ..Default::default() }).await;
    assert_ends_after_span(&server, &api_key).await;
}

#[tokio::test]
async fn a_superseded_caller_is_refused_from_the_end_of_its_grace() {
    let server = Server::start().await;
    let (name, old) = system_key(&server, Key::default()).await;
    let rotate = RotateKeyRequest { name, grace_period: Some(span(SPAN)), ..Default::default() };
    let new = server.keys().rotate_key(rotate).await.unwrap().into_inner().api_key;
    assert_ends_after_span(&server, &old).await;
    for connection in connections(&server) {
        assert!(is_authenticated(&connection, &new).await);
    }
}

/// Checks that the credential ends after [`SPAN`] for calls on open connections, an active stream and an idle one.
async fn assert_ends_after_span(server: &Server, api_key: &str) {
    let connections = connections(server);
    let mut talks = Vec::new();
    for _ in 0..2 {
        talks.push(server.talk_on(connections[1].0.clone(), api_key, None).await.unwrap());
    }
    for step in [Duration::ZERO, SPAN - TICK] {
        server.clock.advance(step);
        for connection in &connections {
            for _ in 0..3 {
                assert!(is_authenticated(connection, api_key).await, "the credential is valid");
            }
        }
        for talk in &mut talks {
            talk.is_answered().await.unwrap();
        }
    }
    server.clock.advance(TICK);
    for connection in &connections {
        assert!(!is_authenticated(connection, api_key).await, "the credential has ended");
    }
    let [asking, idle] = &mut talks[..] else { panic!("the test opens two streams") };
    for end in [asking.is_answered().await.unwrap_err(), idle.ended_while_idle().await] {
        assert_same(&end, &refusal(server).await, "the credential has ended");
    }
}

/// A key of another project is refused each time, and its last use is not recorded.
#[tokio::test]
async fn a_refused_key_of_a_tenant_counts_as_unused() {
    let server = Server::start().await;
    server.project("acme").await;
    let (tenant, api_key) = server.key("acme", Key::default()).await;
    let (caller, caller_api_key) = system_key(&server, Key::default()).await;
    let connections = connections(&server);
    for connection in &connections {
        for _ in 0..3 {
            assert!(is_authenticated(connection, &caller_api_key).await);
            assert!(!is_authenticated(connection, &api_key).await);
        }
    }
    assert!(server.talk_on(connections[1].0.clone(), &api_key, None).await.is_err());
    let server = server.restart_with(&[]).await;
    let after = server.get(&tenant.name).await.unwrap();
    assert_eq!(after.last_used_time, None);
    assert_eq!(after.secrets[0].last_used_time, None);
    let caller = server.get(&caller).await.unwrap();
    assert_eq!(caller.last_used_time, Some(at(Duration::ZERO)), "an authenticated call is a use of its key");
}
