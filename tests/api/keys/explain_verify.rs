//! ExplainVerify: the checks of a Verify with their results.

use proto::{Code, Key, check::Outcome, explain_verify_request::Subject};
use testkit::{
    forge::{damaged, with_wrong_secret},
    server::Server,
    status::fields,
};

use crate::calls::{
    FREE_ID, HOUR, assert_invalid, assert_not_found, assert_not_yet, deletion, disabling, lives, revocation,
    texts, verify,
};

const ORDER: [Code; 10] = [
    Code::Malformed,
    Code::NotFound,
    Code::Revoked,
    Code::Disabled,
    Code::Expired,
    Code::OwnerDisabled,
    Code::WrongEnvironment,
    Code::IpNotAllowed,
    Code::WrongCustomer,
    Code::MissingPermission,
];

fn asked(subject: Subject, request: proto::VerifyRequest) -> proto::ExplainVerifyRequest {
    proto::ExplainVerifyRequest {
        parent: "projects/acme".into(),
        subject: Some(subject),
        request: Some(request),
    }
}

/// Checks that every check before that of the code passed, that one failed, and none after it ran.
#[track_caller]
fn assert_explains(answer: &proto::ExplainVerifyResponse, code: Code) {
    assert_eq!(answer.code(), code);
    let codes: Vec<_> = answer.checks.iter().map(proto::Check::code).collect();
    assert_eq!(codes, ORDER);
    let fails_at = ORDER.iter().position(|it| *it == code).unwrap_or(ORDER.len());
    for (at, check) in answer.checks.iter().enumerate() {
        let expected = match at.cmp(&fails_at) {
            std::cmp::Ordering::Less => Outcome::Passed,
            std::cmp::Ordering::Equal => Outcome::Failed,
            std::cmp::Ordering::Greater => Outcome::NotReached,
        };
        assert_eq!(check.outcome(), expected, "{:?}", check.code());
        assert_eq!(check.detail.is_empty(), expected == Outcome::NotReached);
    }
}

/// Checks that the explanations by API key and by name agree with Verify.
async fn assert_agrees(
    server: &Server,
    (key, api_key): &(Key, String),
    question: proto::VerifyRequest,
    code: Code,
) {
    for subject in [Subject::ApiKey(api_key.clone()), Subject::Name(key.name.clone())] {
        let answer = server.explain(asked(subject, question.clone())).await.unwrap();
        assert_explains(&answer, code);
    }
    let verified = proto::VerifyRequest { api_key: api_key.clone(), ..question };
    assert_eq!(server.ask(verified).await.unwrap().code(), code);
}

#[tokio::test]
async fn every_code_is_explained_as_verify_decides_it() {
    let server = Server::start().await;
    server.project("acme").await;
    let key = |name: &str| Key {
        display_name: name.into(),
        service_account: format!("projects/acme/serviceAccounts/{name}"),
        allowed_cidrs: texts(&["10.0.0.0/8"]),
        customers: texts(&["cust_1"]),
        roles: texts(&["viewer"]),
        expiration: lives(HOUR),
        ..Default::default()
    };
    for id in ["on", "off"] {
        server.account("acme", id, id).await;
    }
    let good = server.key("acme", key("on")).await;
    let of_disabled = server.key("acme", key("off")).await;
    let disable = proto::DisableServiceAccountRequest {
        name: "projects/acme/serviceAccounts/off".into(),
        ..Default::default()
    };
    server.accounts().disable_service_account(disable).await.unwrap();

    let right = proto::VerifyRequest {
        environment: "production".into(),
        client_ip: "10.1.2.3".into(),
        customer: "cust_1".into(),
        permission: "documents.read".into(),
        ..Default::default()
    };
    assert_agrees(&server, &good, right.clone(), Code::Valid).await;
    let mut wrong = right.clone();
    wrong.permission = "documents.write".into();
    assert_agrees(&server, &good, wrong.clone(), Code::MissingPermission).await;
    wrong.customer = "cust_2".into();
    assert_agrees(&server, &good, wrong.clone(), Code::WrongCustomer).await;
    wrong.client_ip = "192.0.2.1".into();
    assert_agrees(&server, &good, wrong.clone(), Code::IpNotAllowed).await;
    wrong.environment = "staging".into();
    assert_agrees(&server, &good, wrong.clone(), Code::WrongEnvironment).await;
    assert_agrees(&server, &of_disabled, wrong.clone(), Code::OwnerDisabled).await;
    server.clock.advance(HOUR);
    assert_agrees(&server, &of_disabled, wrong.clone(), Code::Expired).await;
    server.disable(disabling(&of_disabled.0.name)).await.unwrap();
    assert_agrees(&server, &of_disabled, wrong.clone(), Code::Disabled).await;
    server.revoke(revocation(&of_disabled.0.name)).await.unwrap();
    assert_agrees(&server, &of_disabled, wrong.clone(), Code::Revoked).await;
    server.delete(deletion(&of_disabled.0.name)).await.unwrap();
    assert_agrees(&server, &of_disabled, wrong, Code::NotFound).await;
}

#[tokio::test]
async fn an_unproven_api_key_is_not_explained_further() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    let (_, foreign) = server.key("other", Key::default()).await;
    for (text, code) in [
        (String::new(), Code::Malformed),
        (damaged(&api_key, 40), Code::Malformed),
        (with_wrong_secret(&api_key), Code::NotFound),
        (foreign, Code::NotFound),
    ] {
        let answer = server.explain(asked(Subject::ApiKey(text), Default::default()));
        assert_explains(&answer.await.unwrap(), code);
    }
}

/// Of a key that is named, no API key is said to be right or wrong.
#[tokio::test]
async fn a_named_key_is_explained_without_an_api_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let details = async |subject| {
        let answer = server.explain(asked(subject, Default::default())).await.unwrap();
        [answer.checks[0].detail.clone(), answer.checks[1].detail.clone()]
    };
    let [named, proven] = [Subject::Name(key.name.clone()), Subject::ApiKey(api_key)];
    let read = ["the text has the form of an API key", "the API key belongs to the key"];
    assert_eq!(details(proven).await, read);
    let known = ["the key was named, so no API key was read", "the key and its service account exist"];
    assert_eq!(details(named.clone()).await, known);
    server.delete(deletion(&key.name)).await.unwrap();
    let gone = ["the key was named, so no API key was read", "the key or its service account is deleted"];
    assert_eq!(details(named).await, gone);
}

#[tokio::test]
async fn without_a_request_only_the_key_is_checked() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let request =
        proto::ExplainVerifyRequest { request: None, ..asked(Subject::Name(key.name), Default::default()) };
    assert_explains(&server.explain(request).await.unwrap(), Code::Valid);
}

#[tokio::test]
async fn refuses_what_it_cannot_explain() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let named = |name: &str| Subject::Name(name.into());
    let explain = async |request| server.explain(request).await.unwrap_err();

    let nothing = explain(Default::default()).await;
    assert_invalid(&nothing, &["parent", "subject"]);
    let malformed = asked(named("key"), verify(&api_key));
    assert_invalid(&explain(malformed).await, &["name", "request.api_key"]);
    let elsewhere = proto::ExplainVerifyRequest {
        parent: "projects/other".into(),
        ..asked(named(&key.name), Default::default())
    };
    assert_invalid(&explain(elsewhere).await, &["name"]);
    let wrong = proto::VerifyRequest {
        environment: "Pro duction".into(),
        client_ip: "10.0.0.0/8".into(),
        customer: "two words".into(),
        min_revision: -1,
        view: 3,
        ..Default::default()
    };
    let status = explain(asked(named(&key.name), wrong)).await;
    let mut reported = fields(&status);
    reported.sort();
    let expected = [
        "request.client_ip",
        "request.customer",
        "request.environment",
        "request.min_revision",
        "request.view",
    ];
    assert_eq!(reported, expected);

    let unknown = format!("projects/acme/keys/{FREE_ID}");
    let status = explain(asked(named(&unknown), Default::default())).await;
    assert_eq!(status.code(), tonic::Code::NotFound);
    let nowhere = proto::ExplainVerifyRequest {
        parent: "projects/nowhere".into(),
        ..asked(Subject::ApiKey(api_key), Default::default())
    };
    assert_not_found(&explain(nowhere).await, "projects/nowhere");

    for (request, field) in crate::verify::refused::not_yet() {
        let status = explain(asked(named(&key.name), request)).await;
        assert_not_yet(&status, &format!("request.{field}"));
    }
}
