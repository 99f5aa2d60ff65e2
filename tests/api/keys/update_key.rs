//! UpdateKey: what a mask changes, and what it leaves unchanged.

use proto::{Code, Key, key::Expiration};
use testkit::server::Server;

use crate::calls::{DAY, HOUR, at, ends, lives, revocation, texts, verify};

/// A key with every field that an update may change.
fn full() -> Key {
    Key {
        display_name: "Before".into(),
        customers: texts(&["cust_1"]),
        allowed_cidrs: texts(&["10.0.0.0/8"]),
        metadata: [("team".into(), "web".into())].into(),
        tags: texts(&["core"]),
        expiration: ends(DAY),
        ..Default::default()
    }
}

/// Other values for all of them.
fn other(name: &str) -> Key {
    Key {
        name: name.into(),
        display_name: "After".into(),
        customers: texts(&["cust_3", "cust_2", "cust_3"]),
        allowed_cidrs: texts(&["2001:db8::/32", "192.0.2.7"]),
        metadata: [("owner".into(), "ops".into())].into(),
        tags: texts(&["edge", "edge"]),
        expiration: ends(2 * DAY),
        ..Default::default()
    }
}

fn masked(key: Key, paths: &[&str]) -> proto::UpdateKeyRequest {
    proto::UpdateKeyRequest {
        key: Some(key),
        update_mask: Some(prost_types::FieldMask { paths: texts(paths) }),
        ..Default::default()
    }
}

/// `now` with the fields that every change sets.
fn changed(now: &Key, wanted: Key) -> Key {
    Key { update_time: now.update_time, etag: now.etag.clone(), revision: now.revision, ..wanted }
}

#[tokio::test]
async fn a_mask_changes_only_the_fields_that_it_names() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", full()).await;
    let new = other(&key.name);
    let mut expected = key.clone();
    type Change = fn(&mut Key);
    let steps: [(&str, Change); 6] = [
        ("display_name", |key| key.display_name = "After".into()),
        ("customers", |key| key.customers = texts(&["cust_3", "cust_2"])),
        ("allowed_cidrs", |key| {
            key.allowed_cidrs = texts(&["2001:db8::/32", "192.0.2.7/32"]);
        }),
        ("metadata", |key| key.metadata = [("owner".into(), "ops".into())].into()),
        ("tags", |key| key.tags = texts(&["edge"])),
        ("expire_time", |key| key.expiration = ends(2 * DAY)),
    ];
    for (path, change) in steps {
        server.clock.advance(HOUR);
        let before = server.get(&key.name).await.unwrap();
        let updated = server.update(masked(new.clone(), &[path])).await.unwrap();
        change(&mut expected);
        assert_eq!(updated, changed(&updated, expected.clone()), "{path}");
        assert_eq!(server.get(&key.name).await.unwrap(), updated);
        assert_ne!(updated.etag, before.etag);
        assert_ne!(updated.update_time, before.update_time);
        assert_eq!(updated.revision, server.revision().await);
    }
}

#[tokio::test]
async fn an_empty_mask_changes_the_fields_that_are_set() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", full()).await;
    let set = Key { name: key.name.clone(), tags: texts(&["edge"]), ..Default::default() };
    for request in
        [masked(set.clone(), &[]), proto::UpdateKeyRequest { key: Some(set.clone()), ..Default::default() }]
    {
        let updated = server.update(request).await.unwrap();
        let wanted = Key { tags: texts(&["edge"]), ..key.clone() };
        assert_eq!(updated, changed(&updated, wanted));
    }
}

#[tokio::test]
async fn a_star_changes_everything_and_clears_fields_that_are_not_set() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", full()).await;
    let updated = server.update(masked(other(&key.name), &["*"])).await.unwrap();
    assert_eq!(updated.display_name, "After");
    assert_eq!(updated.expiration, ends(2 * DAY));

    let bare = Key { name: key.name.clone(), ..Default::default() };
    let updated = server.update(masked(bare, &["*"])).await.unwrap();
    let wanted = Key {
        display_name: String::new(),
        customers: Vec::new(),
        allowed_cidrs: Vec::new(),
        metadata: Default::default(),
        tags: Vec::new(),
        expiration: None,
        ..key
    };
    assert_eq!(updated, changed(&updated, wanted));
}

#[tokio::test]
async fn a_mask_may_name_the_expiry_by_either_field() {
    let server = Server::start().await;
    server.project("acme").await;
    for path in ["expire_time", "ttl"] {
        let (key, _) = server.key("acme", Key::default()).await;
        let with =
            |expiration: Option<Expiration>| Key { name: key.name.clone(), expiration, ..Default::default() };
        for (given, expected) in [(ends(DAY), ends(DAY)), (lives(2 * DAY), ends(2 * DAY)), (None, None)] {
            let updated = server.update(masked(with(given), &[path])).await.unwrap();
            assert_eq!(updated.expiration, expected, "{path}");
        }
    }
}

/// A ttl runs from the change, not from the key's creation.
#[tokio::test]
async fn a_ttl_runs_from_the_change() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", full()).await;
    server.clock.advance(3 * HOUR);
    let longer = Key { name: key.name.clone(), expiration: lives(DAY), ..Default::default() };
    let updated = server.update(masked(longer, &["ttl"])).await.unwrap();
    assert_eq!(updated.expiration, ends(DAY + 3 * HOUR));
    assert_eq!(server.verified(&api_key).await.expire_time, Some(at(DAY + 3 * HOUR)));
}

#[tokio::test]
async fn verify_applies_the_new_policy_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", full()).await;
    let question =
        proto::VerifyRequest { client_ip: "10.1.1.1".into(), customer: "cust_1".into(), ..verify(&api_key) };
    assert_eq!(server.ask(question.clone()).await.unwrap().code(), Code::Valid);
    server.update(masked(other(&key.name), &["*"])).await.unwrap();
    assert_eq!(server.ask(question.clone()).await.unwrap().code(), Code::IpNotAllowed);
    let question =
        proto::VerifyRequest { client_ip: "192.0.2.7".into(), customer: "cust_2".into(), ..question };
    let decision = server.ask(question).await.unwrap();
    assert_eq!(decision.code(), Code::Valid);
    assert_eq!((decision.display_name.as_str(), decision.tags), ("After", texts(&["edge"])));
}

#[tokio::test]
async fn a_key_that_has_ended_can_still_be_described() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", full()).await;
    let revoked = server.revoke(revocation(&key.name)).await.unwrap();
    let updated = server.update(masked(other(&key.name), &["display_name"])).await.unwrap();
    let wanted = Key { display_name: "After".into(), ..revoked };
    assert_eq!(updated, changed(&updated, wanted));
    assert_eq!(server.code(&api_key).await, Code::Revoked);
}

#[tokio::test]
async fn validate_only_returns_the_key_as_it_would_be() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", full()).await;
    let trial = proto::UpdateKeyRequest { validate_only: true, ..masked(other(&key.name), &["*"]) };
    let would_be = server.update(trial).await.unwrap();
    assert_eq!(would_be.display_name, "After");
    assert_eq!(would_be.expiration, ends(2 * DAY));
    assert_eq!(server.revision().await, key.revision);
    assert_eq!(server.get(&key.name).await.unwrap(), key);
}
