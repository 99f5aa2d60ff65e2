//! GetKey.

use proto::{Key, key::State};
use testkit::server::Server;

use crate::calls::{FREE_ID, MALFORMED_NAMES, assert_invalid, assert_not_found, deletion, purge, revocation};

#[tokio::test]
async fn reads_a_key_in_every_state_until_it_is_purged() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    assert_eq!(server.get(&key.name).await.unwrap(), key);
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(server.get(&key.name).await.unwrap().state(), State::Revoked);
    server.delete(deletion(&key.name)).await.unwrap();
    assert_eq!(server.get(&key.name).await.unwrap().state(), State::Deleted);
    server.delete(purge(&key.name)).await.unwrap();
    assert_not_found(&server.get(&key.name).await.unwrap_err(), &key.name);
}

#[tokio::test]
async fn an_unknown_or_malformed_name_is_refused() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let (key, _) = server.key("acme", Key::default()).await;
    for name in MALFORMED_NAMES {
        assert_invalid(&server.get(name).await.unwrap_err(), &["name"]);
    }
    for project in ["other", "nowhere"] {
        let name = key.name.replace("acme", project);
        assert_not_found(&server.get(&name).await.unwrap_err(), &name);
    }
    let unknown = server.get(&format!("projects/acme/keys/{FREE_ID}")).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
}
