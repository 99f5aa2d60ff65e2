//! The creator of a key, and what is shown after the creator is deleted.

use proto::{Key, key_service_client::KeyServiceClient};
use testkit::{
    server::{Bearer, Server, channel},
    status::reason,
};
use tonic::Code as Grpc;

use crate::calls::{creation, inner};

#[tokio::test]
async fn a_deleted_creator_is_shown_as_deleted_user() {
    let server = Server::start().await;
    server.project("acme").await;
    let alice = server.account("system", "alice", "Alice").await;
    let (_, api_key) =
        server.key("system", Key { service_account: alice.clone(), ..Default::default() }).await;
    let mut as_alice = KeyServiceClient::with_interceptor(channel(server.admin), Bearer::new(&api_key));
    let made = inner(as_alice.create_key(creation(Key::default())).await).unwrap();
    let key = made.key.unwrap();
    let by = |display_name: &str| {
        Some(proto::Creator { service_account: alice.clone(), display_name: display_name.into() })
    };
    assert_eq!(key.created_by, by("Alice"));

    server.remove_account(&alice).await;
    let status = as_alice.create_key(creation(Key::default())).await.unwrap_err();
    assert_eq!(reason(&status, Grpc::Unauthenticated), "UNAUTHENTICATED");

    // The key itself is still there.
    let read = server.get(&key.name).await.unwrap();
    let expected = Key { created_by: by("Deleted user"), ..key.clone() };
    assert_eq!(read, expected);
    let request = proto::ListKeysRequest { parent: "projects/acme".into(), ..Default::default() };
    let listed = server.list(request).await.unwrap().keys;
    assert!(listed.contains(&expected));
    let system_key = listed.iter().find(|it| it.protected).unwrap();
    assert_eq!(system_key.created_by.as_ref().unwrap().display_name, "Root");
}

#[tokio::test]
async fn the_first_keys_have_no_creator() {
    let server = Server::start().await;
    let request = proto::ListKeysRequest { parent: "projects/system".into(), ..Default::default() };
    let keys = server.list(request).await.unwrap().keys;
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].created_by, None);
}
