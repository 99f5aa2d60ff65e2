//! UpdateKey: what it refuses.

use proto::{Key, key::Expiration};
use testkit::{server::Server, status::fields};

use crate::calls::{DAY, HOUR, TICK, assert_invalid, ends, lives, texts};

fn masked(key: Key, paths: &[&str]) -> proto::UpdateKeyRequest {
    proto::UpdateKeyRequest {
        key: Some(key),
        update_mask: Some(prost_types::FieldMask { paths: texts(paths) }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_mask_of_other_than_mutable_fields_is_refused() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    for path in [
        "",
        "color",
        "name",
        "state",
        "service_account",
        "environment",
        "protected",
        "etag",
        "secrets",
        "metadata.team",
        "Tags",
        "display_name,tags",
    ] {
        let status = server.refused(server.update(masked(key.clone(), &[path]))).await;
        assert_invalid(&status, &["update_mask"]);
    }
    let several = masked(key.clone(), &["color", "tags", "state", "*"]);
    let status = server.refused(server.update(several)).await;
    assert_eq!(fields(&status), ["update_mask"; 3]);
    for path in ["\"color\"", "\"state\"", "\"*\""] {
        assert!(status.message().contains(path), "{}", status.message());
    }
    assert_eq!(server.get(&key.name).await.unwrap(), key);
}

#[tokio::test]
async fn every_wrong_field_in_the_mask_is_reported_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    let wrong = Key {
        name: "key".into(),
        display_name: "x".repeat(201),
        customers: texts(&["a b"]),
        allowed_cidrs: texts(&["10.0.0.0/33", "::/129"]),
        metadata: [("name".into(), "x".repeat(1025))].into(),
        tags: texts(&["fine", "a b"]),
        expiration: Some(Expiration::Ttl(prost_types::Duration { seconds: 0, nanos: -1 })),
        ..Default::default()
    };
    let all = [
        "key.name",
        "key.display_name",
        "key.customers[0]",
        "key.allowed_cidrs[0]",
        "key.allowed_cidrs[1]",
        "key.metadata",
        "key.tags[1]",
        "key.ttl",
    ];
    for paths in [&[][..], &["*"]] {
        let status = server.refused(server.update(masked(wrong.clone(), paths))).await;
        assert_invalid(&status, &all);
    }
    let named = Key { name: key.name.clone(), ..wrong };
    let status = server.refused(server.update(masked(named, &["tags"]))).await;
    assert_invalid(&status, &["key.tags[1]"]);
    let status = server.refused(server.update(Default::default())).await;
    assert_invalid(&status, &["key.name"]);
    assert_eq!(server.get(&key.name).await.unwrap(), key);
}

#[tokio::test]
async fn the_new_expiry_is_in_the_future_and_within_ten_years() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    server.clock.advance(HOUR);
    for (expiration, field) in [
        (ends(HOUR), "key.expire_time"),
        (ends(HOUR - TICK), "key.expire_time"),
        (ends(HOUR + 3653 * DAY + TICK), "key.expire_time"),
        (lives(std::time::Duration::ZERO), "key.ttl"),
        (lives(3653 * DAY + TICK), "key.ttl"),
    ] {
        let asked = Key { name: key.name.clone(), expiration, ..Default::default() };
        let status = server.refused(server.update(masked(asked, &["ttl"]))).await;
        assert_invalid(&status, &[field]);
    }
    assert_eq!(server.get(&key.name).await.unwrap(), key);
}
