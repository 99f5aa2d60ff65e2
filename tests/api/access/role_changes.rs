//! A change of a role reaches the next Verify of every key that holds it.

use proto::{Code, DeleteRoleRequest, Endpoint, Key, Role, UpdateRoleRequest, VerifyRequest};
use testkit::server::Server;

use crate::calls::{inner, texts, verify};

const EDITOR: &str = "projects/acme/roles/editor";

/// A server with the role `editor` of `acme`, which grants `documents.write`, and two keys that hold it.
async fn with_holders() -> (Server, [String; 2]) {
    let server = Server::start().await;
    server.project("acme").await;
    server.role("editor", &["documents.write"]).await;
    let alone = Key { roles: texts(&["editor"]), ..Default::default() };
    let more =
        Key { permissions: texts(&["chat.run"]), roles: texts(&["editor", "viewer"]), ..alone.clone() };
    let keys = [server.key("acme", alone).await.1, server.key("acme", more).await.1];
    (server, keys)
}

async fn update(server: &Server, role: Role, path: &str) -> i64 {
    let request = UpdateRoleRequest {
        role: Some(Role { name: EDITOR.into(), ..role }),
        update_mask: Some(prost_types::FieldMask { paths: texts(&[path]) }),
        ..Default::default()
    };
    inner(server.roles().update_role(request).await).unwrap().role.unwrap().revision
}

async fn permits(server: &Server, api_key: &str, permission: &str) -> Code {
    let question = VerifyRequest { permission: permission.into(), ..verify(api_key) };
    server.ask(question).await.unwrap().code()
}

#[tokio::test]
async fn permissions_come_and_go_with_their_role() {
    let (server, keys) = with_holders().await;
    for (permissions, expected) in [
        (&["documents.write"][..], [Code::Valid, Code::MissingPermission]),
        (&["documents.*"], [Code::Valid, Code::Valid]),
        (&["documents.delete"], [Code::MissingPermission, Code::Valid]),
        (&[], [Code::MissingPermission, Code::MissingPermission]),
        (&["*"], [Code::Valid, Code::Valid]),
    ] {
        let role = Role { permissions: texts(permissions), ..Default::default() };
        update(&server, role, "permissions").await;
        for api_key in &keys {
            for (permission, code) in ["documents.write", "documents.delete"].into_iter().zip(expected) {
                assert_eq!(
                    permits(&server, api_key, permission).await,
                    code,
                    "{permission}: {permissions:?}"
                );
            }
        }
    }
    assert_eq!(permits(&server, &keys[1], "chat.run").await, Code::Valid);
}

#[tokio::test]
async fn endpoints_come_and_go_with_their_role() {
    let (server, [api_key, _]) = with_holders().await;
    for (endpoints, expected) in [
        (&[][..], Code::MissingPermission),
        (&["PUT /v1/documents/*"], Code::Valid),
        (&["GET /v1/documents/*"], Code::MissingPermission),
        (&["* /v1/**"], Code::Valid),
    ] {
        update(&server, Role { endpoints: texts(endpoints), ..Default::default() }, "endpoints").await;
        let endpoint = Some(Endpoint { method: "PUT".into(), path: "/v1/documents/7".into() });
        let question = VerifyRequest { endpoint, ..verify(&api_key) };
        assert_eq!(server.ask(question).await.unwrap().code(), expected, "{endpoints:?}");
    }
}

#[tokio::test]
async fn the_answer_lists_what_the_key_has_now_and_says_from_when() {
    let (server, keys) = with_holders().await;
    for api_key in &keys {
        assert_eq!(permits(&server, api_key, "documents.write").await, Code::Valid);
    }
    let role = Role { permissions: texts(&["documents.share"]), ..Default::default() };
    let revision = update(&server, role, "permissions").await;
    for (api_key, roles, permissions) in [
        (&keys[0], &["editor"][..], &["documents.share"][..]),
        (&keys[1], &["editor", "viewer"], &["*.read", "chat.run", "documents.share"]),
    ] {
        let question = VerifyRequest { min_revision: revision, ..verify(api_key) };
        let answer = server.ask(question).await.unwrap();
        assert_eq!((&*answer.roles, &*answer.permissions), (&texts(roles)[..], &texts(permissions)[..]));
        assert!(answer.revision >= revision, "{} of {revision}", answer.revision);
    }
}

/// Whether or not the removal has reached its keys, a deleted role grants nothing once DeleteRole has answered.
#[tokio::test]
async fn a_deleted_role_grants_nothing_and_a_later_one_of_its_id_is_not_theirs() {
    let (server, keys) = with_holders().await;
    for api_key in &keys {
        assert_eq!(permits(&server, api_key, "documents.write").await, Code::Valid);
    }
    let request = DeleteRoleRequest { name: EDITOR.into(), force: true, ..Default::default() };
    server.roles().delete_role(request).await.unwrap();
    for again in [false, true] {
        for (api_key, roles) in keys.iter().zip([&[][..], &["viewer"]]) {
            assert_eq!(
                permits(&server, api_key, "documents.write").await,
                Code::MissingPermission,
                "{again}"
            );
            assert_eq!(server.verified(api_key).await.roles, roles);
        }
        if !again {
            server.role("editor", &["documents.write"]).await;
        }
    }
}
