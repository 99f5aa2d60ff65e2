//! Credentials that are not valid, of every kind.

use std::time::Duration;

use domain::{
    digest::Secret,
    token::{ApiKey, Token, issue},
};
use proto::{
    DeleteKeyRequest, DisableKeyRequest, DisableServiceAccountRequest, Key, RevokeKeyRequest,
    RotateKeyRequest, key::Expiration,
};
use testkit::{rpc::authorization, server::Server};
use tonic::metadata::{MetadataMap, MetadataValue};

use super::{bearer, system_key};

/// Headers, each with its fault.
pub(super) async fn bad_credentials(server: &Server) -> Vec<(String, MetadataMap)> {
    let root = &server.root;
    let mut bad: Vec<(String, MetadataMap)> = keys_that_are_not_valid(server)
        .await
        .into_iter()
        .chain(texts_that_are_not_api_keys(root))
        .map(|(what, api_key)| (what.to_owned(), bearer(&api_key)))
        .collect();
    bad.push(("no header".into(), MetadataMap::new()));
    for value in [
        "",
        "Bearer",
        root,
        &format!("Basic {root}"),
        &format!("Bearer{root}"),
        &format!("Bearer: {root}"),
        &format!("Token {root}"),
        &format!("\"Bearer {root}\""),
        &format!("Bearer {root}, Bearer {root}"),
    ] {
        bad.push((value.replace(root, "…"), authorization(value)));
    }
    let mut two = bearer(root);
    two.append("authorization", format!("Bearer {root}").parse().unwrap());
    bad.push(("two headers".into(), two));
    let mut elsewhere = MetadataMap::new();
    elsewhere.insert("x-api-key", root.parse().unwrap());
    bad.push(("another header".into(), elsewhere));
    let mut bytes = MetadataMap::new();
    let value = MetadataValue::try_from(&b"Bearer \xff\xfe"[..]).unwrap();
    bytes.insert("authorization", value);
    bad.push(("no ASCII".into(), bytes));
    bad
}

/// API keys that are genuine but not valid, or not valid here.
async fn keys_that_are_not_valid(server: &Server) -> Vec<(&'static str, String)> {
    let mut keys = server.keys();
    server.project("acme").await;
    let (_, other_project) = server.key("acme", Key::default()).await;
    let (name, revoked) = system_key(server, Key::default()).await;
    let reason = String::new();
    keys.revoke_key(RevokeKeyRequest { name, reason, ..Default::default() }).await.unwrap();
    let (name, disabled) = system_key(server, Key::default()).await;
    keys.disable_key(DisableKeyRequest { name, ..Default::default() }).await.unwrap();
    let (name, deleted) = system_key(server, Key::default()).await;
    let delete = |purge| DeleteKeyRequest { name: name.clone(), purge, ..Default::default() };
    keys.delete_key(delete(false)).await.unwrap();
    let (name, purged) = system_key(server, Key::default()).await;
    let purge = DeleteKeyRequest { name, ..delete(true) };
    keys.delete_key(purge).await.unwrap();
    let (name, rotated) = system_key(server, Key::default()).await;
    let rotate = RotateKeyRequest { name, ..Default::default() };
    keys.rotate_key(rotate).await.unwrap();
    let owner = server.service_account("system", "ops").await.name;
    let owned = Key { service_account: owner.clone(), ..Default::default() };
    let (_, owner_disabled) = system_key(server, owned).await;
    let disable = DisableServiceAccountRequest { name: owner, ..Default::default() };
    server.accounts().disable_service_account(disable).await.unwrap();
    let elsewhere =
        Key { allowed_cidrs: vec!["192.0.2.0/24".into(), "2001:db8::/32".into()], ..Default::default() };
    let (_, from_elsewhere) = system_key(server, elsewhere).await;
    let short = Key {
        expiration: Some(Expiration::Ttl(prost_types::Duration { seconds: 1, nanos: 0 })),
        ..Default::default()
    };
    let (_, expired) = system_key(server, short).await;
    server.clock.advance(Duration::from_secs(1));
    vec![
        ("of another project", other_project),
        ("revoked", revoked),
        ("disabled", disabled),
        ("deleted", deleted),
        ("purged", purged),
        ("rotated", rotated),
        ("of a disabled owner", owner_disabled),
        ("from another address", from_elsewhere),
        ("expired", expired),
    ]
}

/// Texts that are not API keys, derived from one that is.
fn texts_that_are_not_api_keys(root: &str) -> Vec<(&'static str, String)> {
    let root_key = ApiKey::new(root.to_owned());
    let token = Token::parse(&root_key).unwrap();
    let wrong_secret = issue(token.token_prefix, token.id, &Secret::new([7; 32]));
    let other_head = issue("keystile_dev", token.id, &token.secret);
    let last = if root.ends_with('a') { "b" } else { "a" };
    vec![
        ("empty", String::new()),
        ("garbage", "garbage".into()),
        ("cut off", root[..root.len() - 1].into()),
        ("damaged", format!("{}{last}", &root[..root.len() - 1])),
        ("doubled", format!("{root}{root}")),
        ("in two words", format!("{root} {root}")),
        ("of a wrong secret", wrong_secret.expose().into()),
        ("of another environment", other_head.expose().into()),
        ("masked", format!("{}****", &root[..root.len() - 50])),
        ("very long", "a".repeat(8000)),
    ]
}
