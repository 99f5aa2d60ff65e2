//! API keys that do not match a key: MALFORMED or NOT_FOUND, and nothing about any key.

use proto::{Code, Key, VerifyResponse};
use testkit::{
    forge::{damaged, forged, sealed, with_wrong_secret},
    server::Server,
};

use crate::calls::{creation, deletion, purge, rotation, verify};

/// Checks that the response has only the code.
#[track_caller]
fn assert_only_code(answer: &VerifyResponse, code: Code) {
    let bare = VerifyResponse {
        code: code.into(),
        http_status: 401,
        message: answer.message.clone(),
        revision: answer.revision,
        decision_age: answer.decision_age,
        ..Default::default()
    };
    assert_eq!(*answer, bare);
    assert!(!answer.message.is_empty());
}

#[tokio::test]
async fn other_texts_are_malformed() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let body = &api_key["acme_live_".len()..];
    let junk = [
        String::new(),
        " ".into(),
        "acme_live_".into(),
        "_".repeat(83),
        "Bearer ".to_owned() + &api_key,
        format!(" {api_key}"),
        format!("{api_key}\n"),
        format!("{api_key}{api_key}"),
        api_key.to_uppercase(),
        api_key[1..].into(),
        api_key[..api_key.len() - 1].into(),
        body.into(),
        key.name,
        key.masked_api_key,
        "é".repeat(41),
        "x".repeat(100_000),
        // With correct checksums they are still malformed.
        sealed(format!("acme_{}", &body[..66])),
        sealed(format!("Acme_live_{}", &body[..66])),
        sealed(format!("acme_live_x_{}", &body[..66])),
        sealed(format!("acme_live_{}", &body[..65])),
        sealed(format!("acme_live_{}", "z".repeat(66))),
        sealed(format!("acme_live_{}{}", &body[..22], "z".repeat(44))),
        sealed(format!("acme_live_{}-{}", &body[..30], &body[31..66])),
    ];
    let mut answers = Vec::new();
    for text in junk {
        let answer = server.verified(&text).await;
        assert_eq!(answer.code(), Code::Malformed, "{text:.200}");
        assert_only_code(&answer, Code::Malformed);
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]));
}

#[tokio::test]
async fn damage_to_one_character_is_malformed() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    for at in 0..api_key.len() {
        let answer = server.verified(&damaged(&api_key, at)).await;
        assert_only_code(&answer, Code::Malformed);
    }
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

/// Whichever part does not match, the response is the same to the last bit.
#[tokio::test]
async fn every_mismatch_has_the_same_response() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (_, good) = server.key("acme", Key::default()).await;
    let (deleted, of_deleted) = server.key("acme", Key::default()).await;
    let (purged, of_purged) = server.key("acme", Key::default()).await;
    let (rotated, of_rotated) = server.key("acme", Key::default()).await;
    let (revoked, of_revoked) = server.key("acme", Key::default()).await;
    let trial = proto::CreateKeyRequest { validate_only: true, ..creation(Key::default()) };
    let never = server.create(trial).await.unwrap().key.unwrap().name;
    let (_, other) = server.key("other", Key::default()).await;
    server.delete(deletion(&deleted.name)).await.unwrap();
    server.delete(purge(&purged.name)).await.unwrap();
    server.rotate(rotation(&rotated.name)).await.unwrap();
    let revoke = proto::RevokeKeyRequest { name: revoked.name, ..Default::default() };
    server.revoke(revoke).await.unwrap();

    let id = &good["acme_live_".len()..][..22];
    let not_found = [
        forged(&good, id, never.rsplit('/').next().unwrap()),
        // The secret of one key under the id of another.
        forged(&good, id, &other["acme_live_".len()..][..22]),
        with_wrong_secret(&good),
        with_wrong_secret(&of_revoked),
        with_wrong_secret(&of_deleted),
        with_wrong_secret(&server.root),
        forged(&good, "acme_live_", "acne_live_"),
        forged(&good, "acme_live_", "acme_dev_"),
        forged(&good, "acme_live_", "keystile_live_"),
        of_deleted,
        of_purged,
        of_rotated,
    ];
    let mut answers = Vec::new();
    for api_key in not_found {
        // The other fields of the request make no difference either.
        let question = proto::VerifyRequest {
            environment: "staging".into(),
            customer: "cust_1".into(),
            client_ip: "192.0.2.1".into(),
            ..verify(&api_key)
        };
        for question in [verify(&api_key), question] {
            let answer = server.ask(question).await.unwrap();
            assert_only_code(&answer, Code::NotFound);
            answers.push(answer);
        }
    }
    for answer in &mut answers {
        assert!(answer.decision_age.take().is_some());
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    assert_eq!(server.code(&good).await, Code::Valid);
    assert_eq!(server.code(&of_revoked).await, Code::Revoked);
}
