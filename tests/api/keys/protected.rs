//! The system key of each project: it can only be rotated and described.

use proto::{Code, Key, key::State};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code as Grpc;

use crate::calls::{HOUR, inner, lives, texts};

use super::operation::Operation;

#[tokio::test]
async fn a_system_key_cannot_be_disabled_revoked_or_deleted() {
    let server = Server::start().await;
    for name in [server.project("acme").await.system_key, system_key(&server, "system").await] {
        let before = server.get(&name).await.unwrap();
        assert!(before.protected);
        for operation in [Operation::Delete, Operation::Purge, Operation::Revoke, Operation::Disable] {
            let status = server.refused(operation.run(&server, &name, "")).await;
            assert_eq!(reason(&status, Grpc::FailedPrecondition), "PROTECTED");
            assert_eq!(metadata(&status, "resource").as_ref(), Some(&name));
        }
        for operation in [Operation::Enable, Operation::Undelete] {
            let status = server.refused(operation.run(&server, &name, "")).await;
            assert_eq!(reason(&status, Grpc::FailedPrecondition), "STATE_FORBIDS");
        }
        let expiring = proto::UpdateKeyRequest {
            key: Some(Key { name: name.clone(), expiration: lives(HOUR), ..Default::default() }),
            ..Default::default()
        };
        let status = server.refused(server.update(expiring)).await;
        assert_eq!(reason(&status, Grpc::FailedPrecondition), "PROTECTED");
        let after = server.get(&name).await.unwrap();
        assert_eq!(after.state(), State::Active);
        assert_eq!(after.etag, before.etag);
    }
}

#[tokio::test]
async fn a_system_key_is_rotated_and_described() {
    let server = Server::start().await;
    let name = server.project("acme").await.system_key;
    let request = proto::UpdateKeyRequest {
        key: Some(Key {
            name: name.clone(),
            display_name: "Ours".into(),
            tags: texts(&["vault"]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let updated = server.update(request).await.unwrap();
    assert_eq!((updated.display_name.as_str(), updated.protected), ("Ours", true));
    let request = proto::RotateKeyRequest { name: name.clone(), ..Default::default() };
    let rotated = server.rotate(request).await.unwrap();
    assert_eq!(server.code(&rotated.api_key).await, Code::Valid);
    assert!(rotated.key.unwrap().protected);
}

/// The root key is rotated like any other key.
#[tokio::test]
async fn a_rotated_root_key_no_longer_authenticates() {
    let mut server = Server::start().await;
    let name = system_key(&server, "system").await;
    let request = proto::RotateKeyRequest { name: name.clone(), ..Default::default() };
    let rotated = server.rotate(request).await.unwrap();
    let status = server.get(&name).await.unwrap_err();
    assert_eq!(reason(&status, Grpc::Unauthenticated), "UNAUTHENTICATED");
    server.root = rotated.api_key;
    assert_eq!(server.get(&name).await.unwrap().secrets[0].version, 2);
}

async fn system_key(server: &Server, project: &str) -> String {
    let request = proto::GetProjectRequest { name: format!("projects/{project}") };
    let got = inner(server.projects().get_project(request).await).unwrap();
    got.project.unwrap().system_key
}
