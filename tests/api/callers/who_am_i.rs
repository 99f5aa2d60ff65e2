//! WhoAmI: what a credential is and may do, as every caller may ask.

use std::time::Duration;

use proto::{Key, RotateKeyRequest, WhoAmIRequest, WhoAmIResponse};
use testkit::server::Server;

use crate::calls::{HOUR, at, ends, inner, span, texts};

async fn who_is(server: &Server, api_key: &str) -> WhoAmIResponse {
    let mut answers = Vec::new();
    for listener in [server.admin, server.verify] {
        let answer = server.caller_at(listener, api_key).who_am_i(WhoAmIRequest {}).await;
        answers.push(inner(answer).unwrap());
    }
    assert_eq!(answers[0], answers[1], "both listeners answer alike");
    answers.remove(0)
}

#[tokio::test]
async fn root_may_do_everything_everywhere() {
    let server = Server::start().await;
    let root = who_is(&server, &server.root).await;
    assert!(root.key.starts_with("projects/system/keys/"));
    assert_eq!(
        root,
        WhoAmIResponse {
            key: root.key.clone(),
            service_account: "projects/system/serviceAccounts/root".into(),
            display_name: "Root".into(),
            roles: texts(&["projects/system/roles/root"]),
            permissions: texts(&["*"]),
            projects: texts(&["projects/-"]),
            expire_time: None,
            address: "127.0.0.1".into(),
            secret_superseded: false,
        }
    );
}

#[tokio::test]
async fn a_caller_learns_its_roles_permissions_projects_and_end() {
    let server = Server::start().await;
    let key = Key {
        display_name: "Gateway".into(),
        roles: texts(&["verifier", "auditor"]),
        permissions: texts(&["keys.create", "keys.explain"]),
        customers: texts(&["shop", "acme"]),
        expiration: ends(4 * HOUR),
        ..Default::default()
    };
    let (key, api_key) = server.key("system", key).await;
    let expected = WhoAmIResponse {
        key: key.name.clone(),
        service_account: key.service_account.clone(),
        display_name: "Gateway".into(),
        roles: texts(&["projects/system/roles/auditor", "projects/system/roles/verifier"]),
        permissions: texts(&["*.read", "keys.create", "keys.explain", "keys.verify"]),
        projects: texts(&["projects/acme", "projects/shop"]),
        expire_time: Some(at(4 * HOUR)),
        address: "127.0.0.1".into(),
        secret_superseded: false,
    };
    assert_eq!(who_is(&server, &api_key).await, expected);

    let rotate = RotateKeyRequest { name: key.name, grace_period: Some(span(HOUR)), ..Default::default() };
    let new = server.rotate(rotate).await.unwrap().api_key;
    assert_eq!(who_is(&server, &new).await, expected);
    let old = WhoAmIResponse { secret_superseded: true, expire_time: Some(at(HOUR)), ..expected };
    assert_eq!(who_is(&server, &api_key).await, old);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(who_is(&server, &api_key).await, old);
}
