//! Verify with a permission or an endpoint.

use proto::{Code, Endpoint, Key, VerifyRequest, View};
use testkit::{server::Server, status::assert_invalid};

use crate::calls::{texts, verify};

/// A key of `acme` that holds these roles and permissions.
async fn key(server: &Server, roles: &[&str], permissions: &[&str]) -> String {
    server.project("acme").await;
    let key = Key { roles: texts(roles), permissions: texts(permissions), ..Default::default() };
    server.key("acme", key).await.1
}

async fn code(server: &Server, question: VerifyRequest) -> Code {
    server.ask(question).await.unwrap().code()
}

#[tokio::test]
async fn a_permission_is_granted_directly_or_by_a_role() {
    let server = Server::start().await;
    let api_key = key(&server, &["viewer"], &["documents.write"]).await;
    for (permission, expected) in [
        ("documents.write", Code::Valid),
        ("documents.read", Code::Valid),
        ("documents.read AND documents.write", Code::Valid),
        ("documents.delete", Code::MissingPermission),
        ("documents.delete OR chat.run", Code::Valid),
        ("NOT documents.write", Code::MissingPermission),
    ] {
        let question = VerifyRequest { permission: permission.into(), ..verify(&api_key) };
        assert_eq!(code(&server, question).await, expected, "{permission}");
    }
}

#[tokio::test]
async fn an_endpoint_is_allowed_by_a_role() {
    let server = Server::start().await;
    let api_key = key(&server, &["projects/acme/roles/viewer"], &["*"]).await;
    for (method, path, expected) in [
        ("GET", "/v1/customers/1", Code::Valid),
        ("POST", "/v1/customers/1", Code::MissingPermission),
        ("", "/acme.Customers/Get", Code::MissingPermission),
        ("GET", "/v1/../admin", Code::MissingPermission),
    ] {
        let endpoint = Some(Endpoint { method: method.into(), path: path.into() });
        let question = VerifyRequest { endpoint, ..verify(&api_key) };
        let decision = server.ask(question).await.unwrap();
        assert_eq!(decision.code(), expected, "{method} {path}");
        assert_eq!(decision.message.contains("ambiguous"), path.contains(".."), "{}", decision.message);
    }
}

#[tokio::test]
async fn the_full_view_lists_roles_and_permissions_and_the_basic_one_does_not() {
    let server = Server::start().await;
    let api_key = key(&server, &["viewer"], &["documents.write", "chat.run"]).await;
    let full = server.ask(verify(&api_key)).await.unwrap();
    assert_eq!(full.roles, ["viewer"]);
    assert_eq!(full.permissions, ["*.read", "chat.run", "documents.write"]);
    let basic = VerifyRequest { view: View::Basic.into(), ..verify(&api_key) };
    let basic = server.ask(basic).await.unwrap();
    assert_eq!((basic.code(), &basic.key), (Code::Valid, &full.key));
    assert!(basic.roles.is_empty() && basic.permissions.is_empty());
    let unspecified = VerifyRequest { view: View::Unspecified.into(), ..verify(&api_key) };
    assert_eq!(server.ask(unspecified).await.unwrap().roles, full.roles);
    for view in [-1, 3, i32::MAX] {
        let refused = server.ask(VerifyRequest { view, ..verify(&api_key) }).await.unwrap_err();
        assert_invalid(&refused, &["view"]);
    }
}
