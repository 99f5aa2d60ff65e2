//! DisableKey and EnableKey.

use proto::{Code, Key, key::State};
use testkit::server::Server;

use crate::calls::{DAY, HOUR, at, disabling, enabling, lives};

#[tokio::test]
async fn a_disabled_key_is_denied_until_it_is_enabled() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;

    server.clock.advance(HOUR);
    let disabled = server.disable(disabling(&key.name)).await.unwrap();
    let expected = Key {
        state: State::Disabled.into(),
        disable_time: Some(at(HOUR)),
        update_time: Some(at(HOUR)),
        etag: disabled.etag.clone(),
        revision: server.revision().await,
        ..key.clone()
    };
    assert_eq!(disabled, expected);
    assert_ne!(disabled.etag, key.etag);
    assert_eq!(server.get(&key.name).await.unwrap(), expected);
    assert_eq!(server.code(&api_key).await, Code::Disabled);

    server.clock.advance(HOUR);
    let enabled = server.enable(enabling(&key.name)).await.unwrap();
    let expected = Key {
        update_time: Some(at(2 * HOUR)),
        etag: enabled.etag.clone(),
        revision: server.revision().await,
        ..key
    };
    assert_eq!(enabled, expected);
    assert_eq!(server.get(&expected.name).await.unwrap(), expected);
    assert_eq!(server.code(&api_key).await, Code::Valid);
}

#[tokio::test]
async fn a_key_that_expired_while_disabled_is_expired_when_enabled() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { expiration: lives(DAY), ..Default::default() };
    let (key, api_key) = server.key("acme", asked).await;
    server.disable(disabling(&key.name)).await.unwrap();
    server.clock.advance(DAY);
    assert_eq!(server.get(&key.name).await.unwrap().state(), State::Disabled);
    assert_eq!(server.code(&api_key).await, Code::Disabled);
    let enabled = server.enable(enabling(&key.name)).await.unwrap();
    assert_eq!(enabled.state(), State::Expired);
    assert_eq!(server.code(&api_key).await, Code::Expired);
}
