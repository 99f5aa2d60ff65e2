//! Retries of CreateKey and RotateKey: requests with one request_id make one change.

use proto::{Code, Key};
use testkit::{
    server::{Bearer, Server, channel},
    status::{metadata, reason},
};
use tokio::task::JoinSet;
use tonic::{Code as Grpc, Status};

use crate::calls::{DAY, HOUR, TICK, assert_invalid, creation, inner, purge, rotation, span};

fn create(request_id: &str) -> proto::CreateKeyRequest {
    proto::CreateKeyRequest { request_id: request_id.into(), ..creation(Key::default()) }
}

fn rotate(name: &str, request_id: &str) -> proto::RotateKeyRequest {
    proto::RotateKeyRequest { request_id: request_id.into(), ..rotation(name) }
}

#[track_caller]
fn assert_reused(status: &Status, request_id: &str) {
    assert_eq!(reason(status, Grpc::FailedPrecondition), "REQUEST_ID_REUSED");
    assert_eq!(metadata(status, "request_id").as_deref(), Some(request_id));
}

#[tokio::test]
async fn a_repeated_creation_returns_the_same_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let first = server.create(create("deploy-42")).await.unwrap();
    assert!(!first.api_key.is_empty() && !first.api_key_already_issued);
    let after_first = server.revision().await;

    server.clock.advance(DAY - TICK);
    let repeat = server.create(create("deploy-42")).await.unwrap();
    assert_eq!(repeat.key, first.key);
    assert_eq!(repeat.api_key, "");
    assert!(repeat.api_key_already_issued);

    let server = server.restart_with(&[]).await;
    let repeat = server.create(create("deploy-42")).await.unwrap();
    assert_eq!(repeat.key, first.key);
    assert!(repeat.api_key_already_issued);
    assert_eq!(server.revision().await, after_first);
    assert_eq!(server.code(&first.api_key).await, Code::Valid);
}

#[tokio::test]
async fn a_repeated_rotation_does_not_rotate_again() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, old) = server.key("acme", Key::default()).await;
    let first = server.rotate(rotate(&key.name, "turn-1")).await.unwrap();
    assert!(!first.api_key.is_empty() && !first.api_key_already_issued);
    let after_first = server.revision().await;

    // An etag that was current at the first call is accepted in the repeat.
    let repeat = server.rotate(rotate(&key.name, "turn-1")).await.unwrap();
    assert_eq!(repeat.key, first.key);
    assert_eq!(repeat.api_key, "");
    assert!(repeat.api_key_already_issued);
    assert_eq!(server.revision().await, after_first);
    assert_eq!(server.code(&first.api_key).await, Code::Valid);
    assert_eq!(server.code(&old).await, Code::NotFound);
}

#[tokio::test]
async fn a_repeat_with_the_etag_of_the_first_call_succeeds() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let request = proto::RotateKeyRequest { etag: key.etag.clone(), ..rotate(&key.name, "turn-1") };
    let first = server.rotate(request.clone()).await.unwrap();
    let repeat = server.rotate(request).await.unwrap();
    assert_eq!(repeat.key, first.key);
    assert!(repeat.api_key_already_issued);
}

#[tokio::test]
async fn another_request_under_the_same_id_is_refused() {
    let server = Server::start().await;
    server.project("acme").await;
    let made = server.create(create("x")).await.unwrap().key.unwrap();
    let others = [
        proto::CreateKeyRequest {
            key: Some(Key { environment: "staging".into(), ..Default::default() }),
            ..create("x")
        },
        proto::CreateKeyRequest { key_id: made.name.rsplit('/').next().unwrap().into(), ..create("x") },
    ];
    for other in others {
        assert_reused(&server.refused(server.create(other)).await, "x");
    }

    // Request ids of different methods are independent.
    server.rotate(rotate(&made.name, "x")).await.unwrap();
    let with_grace = proto::RotateKeyRequest { grace_period: Some(span(HOUR)), ..rotate(&made.name, "x") };
    assert_reused(&server.refused(server.rotate(with_grace)).await, "x");
    let (another, _) = server.key("acme", Key::default()).await;
    let elsewhere = rotate(&another.name, "x");
    assert_reused(&server.refused(server.rotate(elsewhere)).await, "x");
}

#[tokio::test]
async fn callers_do_not_share_request_ids() {
    let server = Server::start().await;
    server.project("acme").await;
    let (_, api_key) = server.key("system", Key::default()).await;
    let first = server.create(create("x")).await.unwrap();
    let mut other = proto::key_service_client::KeyServiceClient::with_interceptor(
        channel(server.admin),
        Bearer::new(&api_key),
    );
    let second = inner(other.create_key(create("x")).await).unwrap();
    assert!(!second.api_key_already_issued);
    assert_ne!(second.key.unwrap().name, first.key.unwrap().name);
}

#[tokio::test]
async fn requests_without_an_id_are_never_repeats() {
    let server = Server::start().await;
    server.project("acme").await;
    let first = server.create(create("")).await.unwrap();
    let second = server.create(create("")).await.unwrap();
    assert_ne!(first.key.unwrap().name, second.key.unwrap().name);
    assert!(!second.api_key_already_issued);
}

#[tokio::test]
async fn of_eight_concurrent_creations_one_issues_an_api_key() {
    let server = Server::start().await;
    server.project("acme").await;
    let before = server.revision().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let mut keys = server.keys();
        calls.spawn(async move { inner(keys.create_key(create("at-once")).await).unwrap() });
    }
    let answers = calls.join_all().await;
    assert_eq!(server.revision().await, before + 2, "a key and its account");
    let issued: Vec<_> = answers.iter().filter(|it| !it.api_key.is_empty()).collect();
    assert_eq!(issued.len(), 1);
    assert!(!issued[0].api_key_already_issued);
    assert!(answers.iter().all(|it| it.key == issued[0].key));
    let repeats = answers.iter().filter(|it| it.api_key_already_issued);
    assert_eq!(repeats.count(), 7);
    assert_eq!(server.code(&issued[0].api_key).await, Code::Valid);
    let counted = server.count("").await.unwrap();
    assert_eq!(counted.active, 2, "the project's system key, and the new one");
}

#[tokio::test]
async fn of_eight_concurrent_rotations_one_rotates() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (mut keys, request) = (server.keys(), rotate(&key.name, "at-once"));
        calls.spawn(async move { inner(keys.rotate_key(request).await).unwrap() });
    }
    let answers = calls.join_all().await;
    assert_eq!(server.revision().await, key.revision + 1);
    let issued: Vec<_> = answers.iter().filter(|it| !it.api_key.is_empty()).collect();
    assert_eq!(issued.len(), 1);
    assert!(answers.iter().all(|it| it.key == issued[0].key));
    let verified = server.verified(&issued[0].api_key).await;
    assert_eq!((verified.code(), verified.secret_version), (Code::Valid, 2));
}

#[tokio::test]
async fn an_id_is_printable_and_at_most_64_characters() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    server.create(create(&"x".repeat(64))).await.unwrap();
    for bad in ["two words", "tab\t", "ü", &"x".repeat(65)] {
        let status = server.refused(server.create(create(bad))).await;
        assert_invalid(&status, &["request_id"]);
        let status = server.refused(server.rotate(rotate(&key.name, bad))).await;
        assert_invalid(&status, &["request_id"]);
    }
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let server = Server::start().await;
    server.project("acme").await;
    let wrong = proto::CreateKeyRequest { parent: "projects/late".into(), ..create("x") };
    server.refused(server.create(wrong.clone())).await;
    server.project("late").await;
    let made = server.create(wrong).await.unwrap();
    assert!(!made.api_key_already_issued);

    // A repeat whose key is purged fails, and does not create another key.
    let name = made.key.unwrap().name;
    server.delete(purge(&name)).await.unwrap();
    let again = proto::CreateKeyRequest { parent: "projects/late".into(), ..create("x") };
    let status = server.refused(server.create(again)).await;
    assert_eq!(reason(&status, Grpc::NotFound), "NOT_FOUND");
    assert_eq!(metadata(&status, "resource"), Some(name));
}
