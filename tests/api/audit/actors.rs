//! The actor of an event: the caller that made the change.

use std::time::Duration;

use proto::{
    Actor, CreateServiceAccountRequest, DeleteKeyRequest, DeleteServiceAccountRequest, Key, ServiceAccount,
    UpdateServiceAccountRequest,
};
use testkit::server::Server;

use super::{ROOT, log, newest};

const OPS: &str = "projects/system/serviceAccounts/ops";

/// A key of the account `ops` of the system project, with its API key.
async fn ops(server: &Server) -> (Key, String) {
    let request = CreateServiceAccountRequest {
        parent: "projects/system".into(),
        service_account_id: "ops".into(),
        service_account: Some(ServiceAccount { display_name: "Operations".into(), ..Default::default() }),
        ..Default::default()
    };
    server.accounts().create_service_account(request).await.unwrap();
    let key = Key { service_account: OPS.into(), ..Default::default() };
    server.key("system", key).await
}

async fn create_as(server: &Server, api_key: &str, id: &str) {
    let request = CreateServiceAccountRequest {
        parent: "projects/system".into(),
        service_account_id: id.into(),
        ..Default::default()
    };
    let mut accounts = server.accounts_as(api_key);
    accounts.create_service_account(request).await.unwrap();
}

#[tokio::test]
async fn the_first_start_has_no_actor() {
    let server = Server::start().await;
    let first = log(&server).await.remove(0);
    assert_eq!((first.revision, first.actor), (1, None));
    assert_eq!((first.action.as_str(), first.target.as_str()), ("projects.create", "projects/system"));
    assert_eq!((first.peer.as_str(), first.request_id.as_str()), ("", ""));
    assert_eq!(first.previous_hash, [0; 32]);
}

#[tokio::test]
async fn the_actor_names_account_and_key() {
    let server = Server::start().await;
    let (key, api_key) = ops(&server).await;
    create_as(&server, &api_key, "one").await;
    let expected = Actor { service_account: OPS.into(), display_name: "Operations".into(), key: key.name };
    assert_eq!(newest(&server).await.actor, Some(expected.clone()));

    server.service_account("system", "two").await;
    let root = newest(&server).await.actor.unwrap();
    assert_eq!(root.service_account, ROOT);
    assert_ne!(root.key, expected.key);
}

#[tokio::test]
async fn the_actor_has_the_current_name_of_its_account() {
    let server = Server::start().await;
    let (key, api_key) = ops(&server).await;
    create_as(&server, &api_key, "one").await;
    let revision = server.head().await;
    let renamed =
        ServiceAccount { name: OPS.into(), display_name: "Reliability".into(), ..Default::default() };
    let request = UpdateServiceAccountRequest { service_account: Some(renamed), ..Default::default() };
    server.accounts().update_service_account(request).await.unwrap();
    let display_name = async || {
        let log = log(&server).await;
        let event = log.into_iter().find(|event| event.revision == revision);
        event.unwrap().actor.unwrap()
    };
    assert_eq!(display_name().await.display_name, "Reliability");

    let request = DeleteServiceAccountRequest { name: OPS.into(), force: true, ..Default::default() };
    server.accounts().delete_service_account(request).await.unwrap();
    let gone = Actor { service_account: OPS.into(), display_name: "Deleted user".into(), key: key.name };
    assert_eq!(display_name().await, gone);
}

#[tokio::test]
async fn housekeeping_has_no_actor() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let delete = DeleteKeyRequest { name: key.name.clone(), ..Default::default() };
    server.keys().delete_key(delete).await.unwrap();
    let before = server.head().await;
    server.clock.advance(Duration::from_secs(31 * 86_400));
    // A server begins with a round of housekeeping.
    let server = server.restart_with(&[]).await;
    let purged = async {
        while server.head().await == before {
            tokio::task::yield_now().await;
        }
        log(&server).await.split_off(usize::try_from(before).unwrap())
    };
    let purged = tokio::time::timeout(Duration::from_secs(30), purged).await.unwrap();
    // The implicit account of the key is deleted with it.
    let expected = [("keys.purge", key.name.as_str()), ("serviceAccounts.delete", &key.service_account)];
    let seen: Vec<_> = purged.iter().map(|it| (it.action.as_str(), it.target.as_str())).collect();
    assert_eq!(seen, expected);
    assert!(purged.iter().all(|it| it.actor.is_none() && it.peer.is_empty()));
}
