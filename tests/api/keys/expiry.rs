//! Expiry: every method agrees on the state from the same instant.

use proto::{Code, Key, key::State};
use testkit::server::{START, Server};

use crate::calls::{HOUR, TICK, lives};

/// Checks the state in reads, lists, filters and counts, and the code of Verify.
async fn assert_everywhere(server: &Server, key: &Key, api_key: &str, state: State, code: Code) {
    assert_eq!(server.get(&key.name).await.unwrap().state(), state);
    assert_eq!(server.code(api_key).await, code);
    for (filter, listed) in [
        ("", true),
        ("state = ACTIVE", state == State::Active),
        ("state = EXPIRED", state == State::Expired),
        ("state != EXPIRED", state != State::Expired),
        ("NOT state = ACTIVE", state != State::Active),
    ] {
        let request = proto::ListKeysRequest {
            parent: "projects/acme".into(),
            filter: filter.into(),
            ..Default::default()
        };
        let found = server.list(request).await.unwrap().keys;
        let found = found.iter().find(|it| it.name == key.name);
        assert_eq!(found.map(Key::state), listed.then_some(state), "{filter}");
    }
    let counted = server.count("").await.unwrap();
    let expired = i64::from(state == State::Expired);
    assert_eq!((counted.active, counted.expired), (2 - expired, expired));
}

#[tokio::test]
async fn a_key_expires_everywhere_at_the_same_instant() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { expiration: lives(HOUR), ..Default::default() };
    let (key, api_key) = server.key("acme", asked).await;
    let before = server.revision().await;
    server.clock.advance(HOUR - TICK);
    assert_everywhere(&server, &key, &api_key, State::Active, Code::Valid).await;
    server.clock.advance(TICK);
    assert_everywhere(&server, &key, &api_key, State::Expired, Code::Expired).await;
    assert_eq!(server.revision().await, before, "no change is needed to expire");

    let decision = server.verified(&api_key).await;
    assert_eq!(decision.expire_time.map(|it| it.seconds), Some(START.as_micros() / 1_000_000 + 3600));

    let unending = proto::UpdateKeyRequest {
        key: Some(Key { name: key.name.clone(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["expire_time".into()] }),
        ..Default::default()
    };
    server.update(unending).await.unwrap();
    assert_everywhere(&server, &key, &api_key, State::Active, Code::Valid).await;
}
