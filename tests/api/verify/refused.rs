//! Calls of Verify that fail with an error, which says nothing about the API key.

use std::time::Duration;

use proto::{Code, Key};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::{Code as Grpc, Request};
use tonic_types::StatusExt;

use crate::calls::{assert_invalid, assert_not_yet, inner, texts, verify};

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, good) = server.key("acme", Key::default()).await;
    // Whether or not the API key is valid.
    for api_key in ["", "junk", &good] {
        let question = proto::VerifyRequest {
            environment: "Pro duction".into(),
            customer: "two words".into(),
            client_ip: "10.0.0.0/8".into(),
            min_revision: -1,
            ..verify(api_key)
        };
        let status = server.ask(question).await.unwrap_err();
        assert_invalid(&status, &["environment", "customer", "client_ip", "min_revision"]);
    }
}

#[tokio::test]
async fn each_field_is_validated() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let long = "x".repeat(129);
    for customer in ["a b", "a\u{7}b", " ", &long] {
        let question = proto::VerifyRequest { customer: customer.into(), ..verify(&api_key) };
        assert_invalid(&server.ask(question).await.unwrap_err(), &["customer"]);
    }
    for client_ip in ["localhost", "10.0.0", "10.0.0.1:80", "[::1]", "10.0.0.1 ", "::g", "010.0.0.1"] {
        let question = proto::VerifyRequest { client_ip: client_ip.into(), ..verify(&api_key) };
        assert_invalid(&server.ask(question).await.unwrap_err(), &["client_ip"]);
    }
    for environment in ["Production", "a_b", "-", &long] {
        let question = proto::VerifyRequest { environment: environment.into(), ..verify(&api_key) };
        assert_invalid(&server.ask(question).await.unwrap_err(), &["environment"]);
    }
}

#[tokio::test]
async fn features_that_are_not_built_are_refused() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, good) = server.key("acme", Key::default()).await;
    for (asked, field) in not_yet() {
        for api_key in [&good, "junk"] {
            let question = proto::VerifyRequest { api_key: api_key.into(), ..asked.clone() };
            assert_not_yet(&server.ask(question).await.unwrap_err(), field);
        }
    }
}

/// Requests that use a feature that is not built, each with the field.
pub(crate) fn not_yet() -> [(proto::VerifyRequest, &'static str); 3] {
    let ask = proto::VerifyRequest::default;
    [
        (proto::VerifyRequest { costs: vec![proto::Cost::default()], ..ask() }, "costs"),
        (proto::VerifyRequest { credits: Some(0), ..ask() }, "credits"),
        (proto::VerifyRequest { tags: texts(&["web"]), ..ask() }, "tags"),
    ]
}

#[tokio::test]
async fn a_decision_has_at_least_min_revision() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let head = server.revision().await;
    assert_eq!(head, key.revision);
    for min_revision in [0, 1, head] {
        let question = proto::VerifyRequest { min_revision, ..verify(&api_key) };
        let answer = server.ask(question).await.unwrap();
        assert_eq!(answer.code(), Code::Valid);
        assert!(answer.revision >= min_revision);
    }
    for min_revision in [head + 1, i64::MAX] {
        let mut request = Request::new(proto::VerifyRequest { min_revision, ..verify(&api_key) });
        // The key could be decided, but the revision never comes.
        request.set_timeout(Duration::from_secs(2));
        let status = inner(server.verifier().verify(request).await).unwrap_err();
        assert_eq!(reason(&status, Grpc::Unavailable), "REVISION_NOT_REACHED");
        assert_eq!(metadata(&status, "min_revision"), Some(min_revision.to_string()));
        assert_eq!(metadata(&status, "revision"), Some(head.to_string()));
        let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(retry > Duration::ZERO);
    }
}
