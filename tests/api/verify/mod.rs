//! Verify: its response for a key that exists.

mod bits;
mod codes;
mod identity;
pub(crate) mod refused;

use proto::{Code, Key, VerifyResponse};
use testkit::server::Server;

use crate::calls::{DAY, HOUR, at, ends, rotation, span, texts, verify};

#[tokio::test]
async fn the_response_has_every_field() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key {
        display_name: "Grüße".into(),
        environment: "staging".into(),
        customers: texts(&["cust_2", "cust_1"]),
        allowed_cidrs: texts(&["10.0.0.0/8"]),
        metadata: [("team".into(), "web".into()), ("empty".into(), String::new())].into(),
        tags: texts(&["team:web", "core"]),
        expiration: ends(DAY),
        ..Default::default()
    };
    let (key, first) = server.key("acme", asked).await;
    let request = proto::RotateKeyRequest { grace_period: Some(span(HOUR)), ..rotation(&key.name) };
    let second = server.rotate(request).await.unwrap().api_key;
    let revision = server.revision().await;

    let described = VerifyResponse {
        code: Code::Valid.into(),
        http_status: 200,
        revision,
        degraded: false,
        key: key.name,
        service_account: key.service_account,
        display_name: "Grüße".into(),
        environment: "staging".into(),
        metadata: key.metadata,
        customers: texts(&["cust_2", "cust_1"]),
        tags: texts(&["team:web", "core"]),
        expire_time: Some(at(DAY)),
        ..Default::default()
    };
    for (api_key, secret_version, secret_superseded) in [(first, 1, true), (second, 2, false)] {
        let question = proto::VerifyRequest {
            environment: "staging".into(),
            customer: "cust_1".into(),
            client_ip: "10.1.2.3".into(),
            min_revision: revision,
            ..verify(&api_key)
        };
        let answer = server.ask(question.clone()).await.unwrap();
        assert!(!answer.message.is_empty() && answer.decision_age.is_some());
        let expected = VerifyResponse {
            secret_version,
            secret_superseded,
            message: answer.message.clone(),
            decision_age: answer.decision_age,
            ..described.clone()
        };
        assert_eq!(answer, expected);

        // A denial describes the key too.
        let denied = proto::VerifyRequest { customer: String::new(), ..question };
        let denied = server.ask(denied).await.unwrap();
        let expected = VerifyResponse {
            code: Code::WrongCustomer.into(),
            http_status: 403,
            message: denied.message.clone(),
            decision_age: denied.decision_age,
            ..expected
        };
        assert_eq!(denied, expected);
        assert_ne!(denied.message, answer.message);
    }
}

#[tokio::test]
async fn a_key_without_optional_fields_has_none_in_the_response() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let answer = server.verified(&api_key).await;
    let expected = VerifyResponse {
        code: Code::Valid.into(),
        http_status: 200,
        message: answer.message.clone(),
        revision: server.revision().await,
        decision_age: answer.decision_age,
        key: key.name,
        service_account: key.service_account,
        environment: "production".into(),
        secret_version: 1,
        ..Default::default()
    };
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn verifying_changes_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let before = server.revision().await;
    for _ in 0..3 {
        assert_eq!(server.code(&api_key).await, Code::Valid);
    }
    assert_eq!(server.revision().await, before);
}

/// Keystile's own credentials verify like any other key.
#[tokio::test]
async fn a_root_key_verifies() {
    let server = Server::start().await;
    let answer = server.verified(&server.root).await;
    assert_eq!(answer.code(), Code::Valid);
    assert_eq!(answer.service_account, "projects/system/serviceAccounts/root");
}
