//! Callers need a valid key of the system project, and all refusals are the same.

mod connections;
mod credentials;
mod escalation;
mod grants;
mod grants_by_accounts;
mod grants_by_roles;
mod grants_races;
mod late_body;
mod matrix;
mod projects;
mod queued;
mod roles_taken_away;
mod who_am_i;

use std::time::Duration;

use testkit::{
    rpc::{authorization, call, every_rpc},
    server::{Server, channel},
    status::reason,
};
use tonic::{Code, Status, metadata::MetadataMap};

use credentials::bad_credentials;
use proto::{DisableKeyRequest, EnableKeyRequest, Key, RotateKeyRequest};

/// Something that a system key with the role `root` may call.
const HARMLESS: &str = "/keystile.v1.ProjectService/ListProjects";

fn bearer(api_key: &str) -> MetadataMap {
    authorization(&format!("Bearer {api_key}"))
}

/// The response to every caller without a valid credential.
async fn refusal(server: &Server) -> Status {
    let refused = call(&channel(server.admin), HARMLESS, MetadataMap::new(), &[]).await;
    let refused = refused.unwrap_err();
    assert_eq!(reason(&refused, Code::Unauthenticated), "UNAUTHENTICATED");
    refused
}

#[track_caller]
fn assert_same(refused: &Status, expected: &Status, what: &str) {
    assert_eq!(refused.code(), expected.code(), "{what}: {refused:?}");
    assert_eq!(refused.message(), expected.message(), "{what}");
    assert_eq!(refused.details(), expected.details(), "{what}");
}

/// A system key with this policy.
async fn system_key(server: &Server, key: Key) -> (String, String) {
    let (key, api_key) = server.key("system", key).await;
    (key.name, api_key)
}

#[tokio::test]
async fn without_a_valid_credential_every_rpc_is_refused_in_the_same_way() {
    let server = Server::start().await;
    let bad = bad_credentials(&server).await;
    let expected = refusal(&server).await;
    let head = server.head().await;
    let (admin, verify) = (channel(server.admin), channel(server.verify));
    for rpc in every_rpc(&server) {
        let channel = if rpc.listener == server.admin { &admin } else { &verify };
        for (what, headers) in &bad {
            let what = format!("{what} at {}", rpc.path);
            let refused = call(channel, &rpc.path, headers.clone(), &[]).await;
            let refused = refused.expect_err(&what);
            assert_same(&refused, &expected, &what);
        }
    }
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn authentication_precedes_parsing_and_routing() {
    let server = Server::start().await;
    let expected = refusal(&server).await;
    let garbage = [0xff; 64];
    for rpc in every_rpc(&server) {
        let channel = channel(rpc.listener);
        let refused = call(&channel, &rpc.path, MetadataMap::new(), &garbage).await;
        assert_same(&refused.unwrap_err(), &expected, &rpc.path);

        let answer = call(&channel, &rpc.path, bearer(&server.root), &garbage).await;
        assert_eq!(reason(&answer.unwrap_err(), Code::InvalidArgument), "MALFORMED_REQUEST", "{}", rpc.path);
    }
    for path in ["/keystile.v1.KeyService/Nothing", "/no.Service/Nothing", "/", "/metrics"] {
        for listener in [server.admin, server.verify] {
            let channel = channel(listener);
            let refused = call(&channel, path, MetadataMap::new(), &[]).await;
            assert_same(&refused.unwrap_err(), &expected, path);
            let unknown = call(&channel, path, bearer(&server.root), &[]).await;
            assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented, "{path}");
        }
    }
}

#[tokio::test]
async fn with_a_valid_credential_every_rpc_is_served() {
    let server = Server::start().await;
    let head = server.head().await;
    for rpc in every_rpc(&server) {
        let channel = channel(rpc.listener);
        let answer = call(&channel, &rpc.path, bearer(&server.root), &[]).await;
        if let Err(status) = answer {
            // An empty request lacks what is required.
            assert_eq!(reason(&status, Code::InvalidArgument), "INVALID_ARGUMENT", "{}", rpc.path);
        }
    }
    assert_eq!(server.head().await, head, "an empty request changed something");
}

#[tokio::test]
async fn the_scheme_is_written_in_any_case() {
    let server = Server::start().await;
    let channel = channel(server.admin);
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
        let headers = authorization(&format!("{scheme}{}", server.root));
        assert!(call(&channel, HARMLESS, headers, &[]).await.is_ok(), "{scheme}");
    }
}

#[tokio::test]
async fn any_key_of_the_system_project_is_a_caller() {
    let server = Server::start().await;
    let channel = channel(server.admin);
    for key in [
        Key { environment: "staging".into(), ..Default::default() },
        Key { allowed_cidrs: vec!["127.0.0.0/8".into()], ..Default::default() },
        Key { allowed_cidrs: vec!["192.0.2.7".into(), "::ffff:127.0.0.1".into()], ..Default::default() },
    ] {
        let (_, api_key) = system_key(&server, key).await;
        assert!(call(&channel, HARMLESS, bearer(&api_key), &[]).await.is_ok());
    }
}

#[tokio::test]
async fn a_disabled_key_is_refused_on_an_open_connection() {
    let server = Server::start().await;
    let channel = channel(server.admin);
    let expected = refusal(&server).await;
    let (name, api_key) = system_key(&server, Key::default()).await;
    let mut keys = server.keys();
    for _ in 0..3 {
        assert!(call(&channel, HARMLESS, bearer(&api_key), &[]).await.is_ok());
        let disable = DisableKeyRequest { name: name.clone(), ..Default::default() };
        keys.disable_key(disable).await.unwrap();
        let refused = call(&channel, HARMLESS, bearer(&api_key), &[]).await;
        assert_same(&refused.unwrap_err(), &expected, "disabled");
        keys.enable_key(EnableKeyRequest { name: name.clone(), ..Default::default() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_rotated_caller_has_its_grace_period() {
    let server = Server::start().await;
    let channel = channel(server.admin);
    let (name, old) = system_key(&server, Key::default()).await;
    let rotate = RotateKeyRequest {
        name,
        grace_period: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let new = server.keys().rotate_key(rotate).await.unwrap().into_inner().api_key;
    for api_key in [&old, &new] {
        assert!(call(&channel, HARMLESS, bearer(api_key), &[]).await.is_ok());
    }
    server.clock.advance(Duration::from_secs(60));
    let refused = call(&channel, HARMLESS, bearer(&old), &[]).await;
    assert_same(&refused.unwrap_err(), &refusal(&server).await, "the grace period has ended");
    assert!(call(&channel, HARMLESS, bearer(&new), &[]).await.is_ok());
}
