//! RotateKey: a new secret, and the end of the old one at once or after a grace period.

use std::time::Duration;

use proto::{Code, Key, Secret, key::State};
use testkit::{
    server::Server,
    status::{metadata, reason},
};

use crate::calls::{DAY, HOUR, TICK, assert_invalid, at, disabling, ends, lives, rotation, span, texts};

fn with_grace(name: &str, grace: Duration) -> proto::RotateKeyRequest {
    proto::RotateKeyRequest { grace_period: Some(span(grace)), ..rotation(name) }
}

/// The code, the secret's version, and whether it was superseded.
async fn seen(server: &Server, api_key: &str) -> (Code, i32, bool) {
    let it = server.verified(api_key).await;
    (it.code(), it.secret_version, it.secret_superseded)
}

const GONE: (Code, i32, bool) = (Code::NotFound, 0, false);

#[tokio::test]
async fn the_old_secret_ends_at_once_without_grace() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key {
        display_name: "Export".into(),
        tags: texts(&["core"]),
        expiration: lives(DAY),
        ..Default::default()
    };
    let (key, old) = server.key("acme", asked).await;
    server.clock.advance(HOUR);
    let rotated = server.rotate(rotation(&key.name)).await.unwrap();
    assert!(!rotated.api_key_already_issued);
    let new = rotated.api_key;
    let head = old.len() - 44 - 6;
    assert_eq!(new[..head], old[..head], "prefix, environment or id changed");
    assert_ne!(new[head..], old[head..]);
    assert_eq!(new.len(), old.len());

    let after = rotated.key.unwrap();
    let expected = Key {
        update_time: Some(at(HOUR)),
        secrets: vec![Secret { version: 2, create_time: Some(at(HOUR)), ..Default::default() }],
        etag: after.etag.clone(),
        revision: server.revision().await,
        ..key
    };
    assert_eq!(after, expected);
    assert_eq!(server.get(&after.name).await.unwrap(), expected);
    assert_eq!(seen(&server, &old).await, GONE);
    assert_eq!(seen(&server, &new).await, (Code::Valid, 2, false));
}

#[tokio::test]
async fn the_old_secret_verifies_until_the_end_of_its_grace_period() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    assert_eq!(seen(&server, &old).await, (Code::Valid, 1, false));
    let rotated = server.rotate(with_grace(&key.name, HOUR)).await.unwrap();
    assert_eq!(rotated.key.unwrap().secrets.len(), 2);
    let secrets = server.get(&key.name).await.unwrap().secrets;
    let secrets: Vec<_> = secrets.iter().map(|it| (it.version, it.expire_time)).collect();
    assert_eq!(secrets, [(2, None), (1, Some(at(HOUR)))], "newest first");

    server.clock.advance(HOUR - TICK);
    assert_eq!(seen(&server, &old).await, (Code::Valid, 1, true));
    assert_eq!(seen(&server, &rotated.api_key).await, (Code::Valid, 2, false));
    assert_eq!(server.get(&key.name).await.unwrap().secrets.len(), 2);

    server.clock.advance(TICK);
    assert_eq!(seen(&server, &old).await, GONE);
    assert_eq!(seen(&server, &rotated.api_key).await, (Code::Valid, 2, false));
    let living = server.get(&key.name).await.unwrap().secrets;
    assert_eq!(living.iter().map(|it| it.version).collect::<Vec<_>>(), [2]);
    let request = proto::ListKeysRequest { parent: "projects/acme".into(), ..Default::default() };
    let listed = server.list(request).await.unwrap().keys;
    assert!(listed.iter().all(|key| key.secrets.len() == 1));
}

#[tokio::test]
async fn a_grace_period_ends_with_the_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { expiration: lives(HOUR), ..Default::default() };
    let (key, old) = server.key("acme", asked).await;
    let rotated = server.rotate(with_grace(&key.name, DAY)).await.unwrap();
    let after = rotated.key.unwrap();
    assert_eq!(after.secrets[1].expire_time, Some(at(HOUR)));
    assert_eq!(after.expiration, ends(HOUR), "a rotation does not extend the key");

    server.clock.advance(HOUR - TICK);
    assert_eq!(server.code(&old).await, Code::Valid);
    server.clock.advance(TICK);
    assert_eq!(seen(&server, &old).await, GONE);
    assert_eq!(server.code(&rotated.api_key).await, Code::Expired);

    // The old secret does not become valid again when the key's expiry is extended.
    let longer = proto::UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), expiration: ends(2 * DAY), ..Default::default() }),
        ..Default::default()
    };
    server.update(longer).await.unwrap();
    assert_eq!(seen(&server, &old).await, GONE);
    assert_eq!(server.code(&rotated.api_key).await, Code::Valid);
}

#[tokio::test]
async fn an_earlier_expiry_of_the_key_ends_the_grace_period_too() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    let new = server.rotate(with_grace(&key.name, DAY)).await.unwrap().api_key;
    let shorter = proto::UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), expiration: ends(HOUR), ..Default::default() }),
        ..Default::default()
    };
    server.update(shorter).await.unwrap();
    server.clock.advance(HOUR - TICK);
    assert_eq!(server.code(&old).await, Code::Valid);
    server.clock.advance(TICK);
    // The same as if the expiry had been earlier at the rotation.
    assert_eq!(server.code(&old).await, Code::NotFound);
    assert_eq!(server.code(&new).await, Code::Expired);
}

#[tokio::test]
async fn a_second_rotation_ends_the_oldest_secret() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, first) = server.key("acme", Key::default()).await;
    let second = server.rotate(with_grace(&key.name, DAY)).await.unwrap().api_key;
    server.clock.advance(HOUR);
    let rotated = server.rotate(with_grace(&key.name, HOUR)).await.unwrap();
    let third = rotated.api_key;
    let secrets = rotated.key.unwrap().secrets;
    assert_eq!(secrets.iter().map(|it| it.version).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(secrets[1].expire_time, Some(at(2 * HOUR)));
    assert_eq!(seen(&server, &first).await, GONE);
    assert_eq!(seen(&server, &second).await, (Code::Valid, 2, true));
    assert_eq!(seen(&server, &third).await, (Code::Valid, 3, false));

    let fourth = server.rotate(rotation(&key.name)).await.unwrap().api_key;
    assert_eq!(seen(&server, &second).await, GONE);
    assert_eq!(seen(&server, &third).await, GONE);
    assert_eq!(seen(&server, &fourth).await, (Code::Valid, 4, false));
}

#[tokio::test]
async fn a_disabled_key_is_rotated_and_stays_disabled() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    server.disable(disabling(&key.name)).await.unwrap();
    let rotated = server.rotate(rotation(&key.name)).await.unwrap();
    assert_eq!(rotated.key.unwrap().state(), State::Disabled);
    assert_eq!(server.code(&rotated.api_key).await, Code::Disabled);
    assert_eq!(server.code(&old).await, Code::NotFound);
}

#[tokio::test]
async fn grace_is_at_most_90_days() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    let wire = |seconds, nanos| proto::RotateKeyRequest {
        grace_period: Some(prost_types::Duration { seconds, nanos }),
        ..rotation(&key.name)
    };
    for bad in [
        wire(-1, 0),
        wire(0, -1),
        wire(i64::MAX, 0),
        wire(i64::MIN, 0),
        with_grace(&key.name, 90 * DAY + TICK),
    ] {
        let status = server.refused(server.rotate(bad.clone())).await;
        assert_invalid(&status, &["grace_period"]);
        let nameless = proto::RotateKeyRequest { name: "key".into(), ..bad };
        let status = server.refused(server.rotate(nameless)).await;
        assert_invalid(&status, &["name", "grace_period"]);
    }
    assert_eq!(server.code(&old).await, Code::Valid);
    let longest = with_grace(&key.name, 90 * DAY);
    let rotated = server.rotate(longest).await.unwrap().key.unwrap();
    assert_eq!(rotated.secrets[1].expire_time, Some(at(90 * DAY)));
    let zero = server.rotate(with_grace(&key.name, Duration::ZERO)).await.unwrap();
    assert_eq!(zero.key.unwrap().secrets.len(), 1);
}

#[tokio::test]
async fn validate_only_rotates_and_issues_nothing() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    let trial =
        proto::RotateKeyRequest { validate_only: true, request_id: "turn".into(), ..rotation(&key.name) };
    let answer = server.rotate(trial.clone()).await.unwrap();
    assert_eq!(answer.api_key, "");
    assert!(!answer.api_key_already_issued);
    assert_eq!(answer.key.unwrap().secrets[0].version, 2, "the key as it would be");
    assert_eq!(server.revision().await, key.revision);
    assert_eq!(server.get(&key.name).await.unwrap(), key);
    assert_eq!(server.code(&old).await, Code::Valid);

    let real = proto::RotateKeyRequest { validate_only: false, ..trial };
    let rotated = server.rotate(real).await.unwrap();
    assert!(!rotated.api_key_already_issued, "a request id of a dry run is not remembered");
    assert_eq!(server.code(&rotated.api_key).await, Code::Valid);
}

/// While the keys of a deleted account are being removed, no secret is issued, because it could not verify.
#[tokio::test]
async fn a_key_of_a_deleted_account_cannot_be_rotated() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    server.database.execute("UPDATE keys SET account_generation = -1").await;
    let refused = server.rotate(rotation(&key.name)).await.unwrap_err();
    assert_eq!(reason(&refused, tonic::Code::FailedPrecondition), "OWNER_GONE");
    assert_eq!(metadata(&refused, "resource"), Some(key.service_account));
}
