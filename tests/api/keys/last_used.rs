//! When a key and its secrets were last used: exact once the recorder has written it.

use std::time::Duration;

use proto::{Code, Key, verify_service_client::VerifyServiceClient, watch_audit_events_response::Content};
use testkit::server::{Bearer, Server, channel};

use crate::calls::{HOUR, at, disabling, inner, rotation, span, verify};

#[tokio::test]
async fn each_secret_has_the_time_of_its_last_success() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    assert_eq!(key.last_used_time, None);
    let (unused, _) = server.key("acme", Key::default()).await;
    let request = proto::RotateKeyRequest { grace_period: Some(span(HOUR * 24)), ..rotation(&key.name) };
    let new = server.rotate(request).await.unwrap().api_key;
    // Which secret is used at each hour.
    for api_key in [&new, &old, &old, &new] {
        server.clock.advance(HOUR);
        assert_eq!(server.code(api_key).await, Code::Valid);
    }
    let before = server.get(&key.name).await.unwrap();

    let server = server.restart_with(&[]).await;
    let after = server.get(&key.name).await.unwrap();
    assert_eq!(after.last_used_time, Some(at(4 * HOUR)));
    let times: Vec<_> = after.secrets.iter().map(|it| it.last_used_time).collect();
    assert_eq!(times, [Some(at(4 * HOUR)), Some(at(3 * HOUR))]);
    assert_eq!(after.etag, before.etag, "a use is not a change");
    assert_eq!(after.update_time, before.update_time);
    let account = proto::GetServiceAccountRequest { name: key.service_account };
    let account = inner(server.accounts().get_service_account(account).await).unwrap();
    assert_eq!(account.service_account.unwrap().last_used_time, Some(at(4 * HOUR)));
    assert_eq!(server.get(&unused.name).await.unwrap(), unused);
}

#[tokio::test]
async fn a_change_of_the_key_keeps_its_last_use() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.clock.advance(HOUR);
    assert_eq!(server.code(&api_key).await, Code::Valid);
    let server = server.restart_with(&[]).await;
    server.clock.advance(HOUR);
    server.disable(disabling(&key.name)).await.unwrap();
    let after = server.get(&key.name).await.unwrap();
    assert_eq!(after.last_used_time, Some(at(HOUR)));
    assert_eq!(after.secrets[0].last_used_time, Some(at(HOUR)));
}

#[tokio::test]
async fn denials_and_explanations_are_not_uses() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let elsewhere = proto::VerifyRequest { environment: "staging".into(), ..verify(&api_key) };
    assert_eq!(server.ask(elsewhere).await.unwrap().code(), Code::WrongEnvironment);
    let explain = proto::ExplainVerifyRequest {
        parent: "projects/acme".into(),
        subject: Some(proto::explain_verify_request::Subject::ApiKey(api_key.clone())),
        ..Default::default()
    };
    assert_eq!(server.explain(explain).await.unwrap().code(), Code::Valid);
    let lookup = proto::LookupKeyRequest {
        parent: "projects/acme".into(),
        query: Some(proto::lookup_key_request::Query::ApiKey(api_key.clone())),
    };
    server.lookup(lookup).await.unwrap();
    server.disable(disabling(&key.name)).await.unwrap();
    assert_eq!(server.code(&api_key).await, Code::Disabled);

    let server = server.restart_with(&[]).await;
    let after = server.get(&key.name).await.unwrap();
    assert_eq!(after.last_used_time, None);
    assert_eq!(after.secrets[0].last_used_time, None);
}

/// A stream uses its caller's key with every message, not only when it opens.
#[tokio::test]
async fn every_message_of_a_stream_is_a_use() {
    let server = Server::start().await;
    let (asking, asking_key) = server.key("system", Key::default()).await;
    let (watching, watching_key) = server.key("system", Key::default()).await;
    let mut talk = server.talk_as(&asking_key).await.unwrap();
    let request = proto::WatchAuditEventsRequest {
        parent: "projects/-".into(),
        after_revision: server.revision().await,
        heartbeat_interval: None,
    };
    let mut watch = server.watch_as(&watching_key, request).await.unwrap();
    server.clock.advance(HOUR);
    assert_eq!(talk.code("junk").await.unwrap(), Code::Malformed);
    server.project("acme").await;
    while !matches!(watch.message().await.unwrap().unwrap().content, Some(Content::Event(_))) {}
    drop((talk, watch));

    let server = server.restart_with(&[]).await;
    for key in [asking, watching] {
        assert_eq!(server.get(&key.name).await.unwrap().last_used_time, Some(at(HOUR)), "{key:?}");
    }
}

/// The calls of one connection are authenticated once, but each is a use.
#[tokio::test]
async fn every_call_of_a_connection_is_a_use() {
    const SECOND: Duration = Duration::from_secs(1);
    let server = Server::start().await;
    let (key, api_key) = server.key("system", Key::default()).await;
    let mut verifier = VerifyServiceClient::with_interceptor(channel(server.verify), Bearer::new(&api_key));
    for _ in 0..3 {
        server.clock.advance(SECOND);
        inner(verifier.verify(verify("junk")).await).unwrap();
    }
    drop(verifier);

    let server = server.restart_with(&[]).await;
    assert_eq!(server.get(&key.name).await.unwrap().last_used_time, Some(at(3 * SECOND)));
}
