//! When a key and its secrets were last used: exact once the recorder has written it.

use proto::{Code, Key};
use testkit::server::Server;

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
