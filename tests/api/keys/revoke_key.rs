//! RevokeKey.

use proto::{Code, Key, key::State};
use testkit::server::Server;

use crate::calls::{HOUR, assert_invalid, at, deletion, revocation, rotation, span, undeletion};

use super::operation::Operation;

#[tokio::test]
async fn a_revoked_key_stays_revoked_after_every_operation() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.clock.advance(HOUR);
    let request =
        proto::RevokeKeyRequest { reason: "found in a public repository".into(), ..revocation(&key.name) };
    let revoked = server.revoke(request).await.unwrap();
    let expected = Key {
        state: State::Revoked.into(),
        revoke_time: Some(at(HOUR)),
        revoke_reason: "found in a public repository".into(),
        update_time: Some(at(HOUR)),
        etag: revoked.etag.clone(),
        revision: server.revision().await,
        ..key.clone()
    };
    assert_eq!(revoked, expected);
    assert_eq!(server.get(&key.name).await.unwrap(), expected);
    assert_eq!(server.code(&api_key).await, Code::Revoked);

    for operation in Operation::ALL {
        if operation != Operation::Purge {
            drop(operation.run(&server, &key.name, "").await);
        }
    }
    server.undelete(undeletion(&key.name)).await.unwrap_err();
    assert_eq!(server.get(&key.name).await.unwrap().state(), State::Revoked);
    assert_eq!(server.code(&api_key).await, Code::Revoked);
    server.delete(deletion(&key.name)).await.unwrap();
    server.undelete(undeletion(&key.name)).await.unwrap();
    assert_eq!(server.code(&api_key).await, Code::Revoked);
}

#[tokio::test]
async fn both_secrets_of_a_grace_period_are_revoked() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    let request = proto::RotateKeyRequest { grace_period: Some(span(HOUR)), ..rotation(&key.name) };
    let new = server.rotate(request).await.unwrap().api_key;
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(server.code(&old).await, Code::Revoked);
    assert_eq!(server.code(&new).await, Code::Revoked);
}

#[tokio::test]
async fn a_reason_is_plain_text_of_at_most_500_characters() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let because = |name: &str, reason: String| proto::RevokeKeyRequest { reason, ..revocation(name) };
    for bad in ["é".repeat(501), "a\nb".into()] {
        let status = server.refused(server.revoke(because(&key.name, bad.clone()))).await;
        assert_invalid(&status, &["reason"]);
        let status = server.refused(server.revoke(because("key", bad))).await;
        assert_invalid(&status, &["name", "reason"]);
    }
    assert_eq!(server.code(&api_key).await, Code::Valid);
    let revoked = server.revoke(because(&key.name, "é".repeat(500))).await.unwrap();
    assert_eq!(revoked.revoke_reason, "é".repeat(500));
    let (key, _) = server.key("acme", Key::default()).await;
    let revoked = server.revoke(because(&key.name, String::new())).await.unwrap();
    assert_eq!(revoked.revoke_reason, "");
}
