//! UndeleteKey: restores a key as it was, within the retention, while its owner exists.

use proto::{Code, Key, key::State};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code as Grpc;

use crate::calls::{
    DAY, HOUR, TICK, assert_not_found, at, deletion, disabling, lives, revocation, undeletion,
};

#[tokio::test]
async fn a_key_is_restored_in_its_former_state() {
    let server = Server::start().await;
    server.project("acme").await;
    let asked = Key { expiration: lives(HOUR), ..Default::default() };
    let expiring = server.key("acme", asked).await;
    server.clock.advance(HOUR);
    for (state, code) in [
        (State::Active, Code::Valid),
        (State::Disabled, Code::Disabled),
        (State::Revoked, Code::Revoked),
        (State::Expired, Code::Expired),
    ] {
        let (key, api_key) = match state {
            State::Expired => expiring.clone(),
            _ => server.key("acme", Key::default()).await,
        };
        match state {
            State::Disabled => drop(server.disable(disabling(&key.name)).await.unwrap()),
            State::Revoked => drop(server.revoke(revocation(&key.name)).await.unwrap()),
            _ => {}
        }
        let before = server.get(&key.name).await.unwrap();
        assert_eq!(before.state(), state);
        server.delete(deletion(&key.name)).await.unwrap();
        let back = server.undelete(undeletion(&key.name)).await.unwrap();
        let expected = Key {
            update_time: Some(at(HOUR)),
            etag: back.etag.clone(),
            revision: server.revision().await,
            ..before
        };
        assert_eq!(back, expected);
        assert_eq!(server.get(&key.name).await.unwrap(), expected);
        assert_eq!(server.code(&api_key).await, code, "with the same API key");
    }
}

#[tokio::test]
async fn a_key_can_be_restored_until_its_purge_time() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    server.delete(deletion(&key.name)).await.unwrap();
    server.clock.advance(30 * DAY - TICK);
    server.undelete(undeletion(&key.name)).await.unwrap();
    assert_eq!(server.code(&api_key).await, Code::Valid);

    server.delete(deletion(&key.name)).await.unwrap();
    server.clock.advance(30 * DAY);
    // It does not matter whether housekeeping has already purged it.
    let status = server.undelete(undeletion(&key.name)).await.unwrap_err();
    assert_not_found(&status, &key.name);
    assert_eq!(server.code(&api_key).await, Code::NotFound);
}

#[tokio::test]
async fn a_key_of_a_deleted_owner_cannot_be_restored() {
    let server = Server::start().await;
    server.project("acme").await;
    let owner = server.account("acme", "ci", "CI").await;
    let asked = Key { service_account: owner.clone(), ..Default::default() };
    let (early, _) = server.key("acme", asked.clone()).await;
    let (late, api_key) = server.key("acme", asked).await;
    server.delete(deletion(&early.name)).await.unwrap();
    // The call also deletes the other key.
    server.remove_account(&owner).await;
    for key in [early, late] {
        let deleted = server.get(&key.name).await.unwrap();
        assert_eq!(deleted.state(), State::Deleted);
        assert_eq!(deleted.purge_time, Some(at(30 * DAY)));
        let status = server.refused(server.undelete(undeletion(&key.name))).await;
        assert_eq!(reason(&status, Grpc::FailedPrecondition), "OWNER_GONE");
        assert_eq!(metadata(&status, "resource").as_ref(), Some(&owner));
        assert_eq!(server.get(&key.name).await.unwrap(), deleted);
    }
    assert_eq!(server.code(&api_key).await, Code::NotFound);
}
