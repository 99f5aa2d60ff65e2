//! Roles, permissions and questions about them that are invalid: each has an error of its own.

use proto::{Endpoint, Key, VerifyRequest};
use testkit::{server::Server, status::fields};
use tonic_types::StatusExt;

use crate::calls::{creation, texts, verify};

async fn server() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    server
}

#[tokio::test]
async fn roles_and_permissions_of_a_key() {
    let server = server().await;
    let seventeen: Vec<String> = (0..17).map(|number| format!("role-{number}")).collect();
    let many: Vec<String> = (0..201).map(|number| format!("p.n{number}")).collect();
    let mixed: Vec<String> = (0..51).map(|number| format!("a{number}.*.read")).collect();
    let roles = |roles: &[&str]| Key { roles: texts(roles), ..Default::default() };
    let permissions = |list: &[&str]| Key { permissions: texts(list), ..Default::default() };
    for (key, field, why) in [
        (roles(&["nobody"]), "key.roles", "projects/acme/roles/nobody, which does not exist"),
        (roles(&["projects/other/roles/viewer"]), "key.roles", "of the same project"),
        (roles(&["viewer", "No Role"]), "key.roles[1]", "lower-case"),
        (Key { roles: seventeen, ..Default::default() }, "key.roles", "at most 16"),
        (permissions(&["a..b"]), "key.permissions[0]", "empty"),
        (permissions(&["a.b", "a.b*"]), "key.permissions[1]", "*"),
        (permissions(&["a b"]), "key.permissions[0]", "' '"),
        (permissions(&[&"a".repeat(101)]), "key.permissions[0]", "100"),
        (Key { permissions: mixed, ..Default::default() }, "key.permissions", "at most 50"),
        (Key { permissions: many, ..Default::default() }, "key.permissions", "at most 200"),
    ] {
        let status = server.create(creation(key)).await.unwrap_err();
        assert_eq!(fields(&status), [field], "{status:?}");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert!(violations[0].description.contains(why), "{:?} has no {why:?}", violations[0].description);
    }
    // A trial is refused as the real call.
    let trial = proto::CreateKeyRequest { validate_only: true, ..creation(roles(&["nobody"])) };
    assert_eq!(fields(&server.create(trial).await.unwrap_err()), ["key.roles"]);
}

#[tokio::test]
async fn a_question_with_a_faulty_expression_names_the_place() {
    let server = server().await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    for (permission, position) in [
        ("documents.*", 11),
        ("a.read AND", 11),
        ("a.read and b.read", 8),
        ("b.read OR (a.read", 11),
        ("a.read b.read", 8),
        ("ä.read", 1),
    ] {
        let question = VerifyRequest { permission: permission.into(), ..verify(&api_key) };
        let status = server.ask(question).await.unwrap_err();
        assert_eq!(fields(&status), ["permission"]);
        let metadata = status.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata["position"], position.to_string(), "{permission}: {}", status.message());
    }
    let long = vec!["a.read"; 101].join(" OR ");
    let question = VerifyRequest { permission: long, ..verify(&api_key) };
    assert_eq!(fields(&server.ask(question).await.unwrap_err()), ["permission"]);
}

#[tokio::test]
async fn a_question_with_a_faulty_method_is_refused() {
    let server = server().await;
    let (_, api_key) = server.key("acme", Key::default()).await;
    for method in ["*", "GET POST", "GET\n", "GÉT"] {
        let endpoint = Some(Endpoint { method: method.into(), path: "/".into() });
        let question = VerifyRequest { endpoint, ..verify(&api_key) };
        assert_eq!(fields(&server.ask(question).await.unwrap_err()), ["endpoint.method"], "{method:?}");
    }
}
