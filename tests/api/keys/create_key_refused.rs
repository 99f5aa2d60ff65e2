//! CreateKey: what it refuses, with all faults at once.

use std::time::Duration;

use proto::{Key, key::Expiration};
use testkit::server::Server;

use crate::calls::{DAY, TICK, assert_invalid, assert_not_found, at, creation, ends, lives, texts};

#[tokio::test]
async fn the_first_ten_wrong_fields_are_reported_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let request = proto::CreateKeyRequest {
        parent: "acme".into(),
        key_id: "1".into(),
        key: Some(Key {
            service_account: "projects/acme/users/ci".into(),
            environment: "Pro duction".into(),
            display_name: "a\u{7}b".into(),
            customers: texts(&["fine", "two words", ""]),
            allowed_cidrs: texts(&["10.0.0.0/33", "10.0.0.0/8", "example.com"]),
            metadata: [("two words".into(), String::new())].into(),
            tags: texts(&["a,b", "fine", "ü"]),
            expiration: Some(Expiration::Ttl(prost_types::Duration { seconds: -1, nanos: 0 })),
            ..Default::default()
        }),
        ..Default::default()
    };
    let status = server.refused(server.create(request)).await;
    let expected = [
        "parent",
        "key_id",
        "key.service_account",
        "key.environment",
        "key.display_name",
        "key.customers[1]",
        "key.customers[2]",
        "key.allowed_cidrs[0]",
        "key.allowed_cidrs[2]",
        "key.metadata",
    ];
    assert_invalid(&status, &expected);
    assert!(status.message().ends_with("; and 3 more"), "key.tags[0], key.tags[2], key.ttl: {status:?}");

    let status = server.refused(server.create(Default::default())).await;
    assert_invalid(&status, &["parent", "key.environment"]);
}

/// Each field at its maximum, then with one more.
#[tokio::test]
async fn every_length_limit_is_exact() {
    let server = Server::start().await;
    server.project("acme").await;
    let named = |length| Key { display_name: "é".repeat(length), ..Default::default() };
    let tagged = |number: usize, length| Key {
        tags: (0..number).map(|n| format!("{n:0length$}")).collect(),
        ..Default::default()
    };
    let for_customers = |number: usize, length| Key {
        customers: (0..number).map(|n| format!("{n:0length$}")).collect(),
        ..Default::default()
    };
    let from_networks = |number| Key {
        allowed_cidrs: (0..number).map(|n| format!("10.0.{n}.0/24")).collect(),
        ..Default::default()
    };
    let described = |number: usize, name: usize, value| Key {
        metadata: (0..number).map(|n| (format!("{n:0name$}"), "x".repeat(value))).collect(),
        ..Default::default()
    };
    let cases = [
        (named(200), named(201), "key.display_name"),
        (tagged(32, 2), tagged(33, 2), "key.tags"),
        (tagged(1, 64), tagged(1, 65), "key.tags[0]"),
        (for_customers(100, 3), for_customers(101, 3), "key.customers"),
        (for_customers(1, 128), for_customers(1, 129), "key.customers[0]"),
        (from_networks(100), from_networks(101), "key.allowed_cidrs"),
        (described(64, 2, 9), described(65, 2, 9), "key.metadata"),
        (described(1, 64, 9), described(1, 65, 9), "key.metadata"),
        (described(1, 2, 1024), described(1, 2, 1025), "key.metadata"),
        // 8 KiB together.
        (described(8, 4, 1020), described(8, 5, 1020), "key.metadata"),
    ];
    for (good, bad, field) in cases {
        let (key, _) = server.key("acme", good.clone()).await;
        assert_eq!(
            (key.display_name, key.tags, key.customers, key.metadata),
            (good.display_name, good.tags, good.customers, good.metadata)
        );
        assert_eq!(key.allowed_cidrs, good.allowed_cidrs);
        let status = server.refused(server.create(creation(bad))).await;
        assert_invalid(&status, &[field]);
    }
}

#[tokio::test]
async fn text_has_no_control_characters() {
    let server = Server::start().await;
    server.project("acme").await;
    for control in ['\0', '\n', '\t', '\u{7f}', '\u{85}'] {
        let text = format!("a{control}b");
        let asked = Key {
            display_name: text.clone(),
            customers: vec![text.clone()],
            metadata: [("name".into(), text.clone())].into(),
            tags: vec![text],
            ..Default::default()
        };
        let status = server.refused(server.create(creation(asked))).await;
        let fields = ["key.display_name", "key.customers[0]", "key.metadata", "key.tags[0]"];
        assert_invalid(&status, &fields);
    }
}

#[tokio::test]
async fn a_network_with_host_bits_is_refused() {
    let server = Server::start().await;
    server.project("acme").await;
    for (written, network, address) in [
        ("10.0.0.1/8", "10.0.0.0/8", "10.0.0.1"),
        ("2001:db8::1/32", "2001:db8::/32", "2001:db8::1"),
        ("::ffff:10.0.0.1/104", "10.0.0.0/8", "10.0.0.1"),
    ] {
        let asked = Key { allowed_cidrs: texts(&["192.0.2.0/24", written]), ..Default::default() };
        let status = server.refused(server.create(creation(asked))).await;
        assert_invalid(&status, &["key.allowed_cidrs[1]"]);
        let meant = format!("write {network} for the network, or {address} for the one address");
        assert!(status.message().ends_with(&meant), "{}", status.message());
        let asked = Key { allowed_cidrs: texts(&[network, address]), ..Default::default() };
        server.create(creation(asked)).await.unwrap();
    }
}

#[tokio::test]
async fn the_expiry_is_in_the_future_and_within_ten_years() {
    let server = Server::start().await;
    server.project("acme").await;
    let ttl = |seconds, nanos| Some(Expiration::Ttl(prost_types::Duration { seconds, nanos }));
    let time = |seconds, nanos| Some(Expiration::ExpireTime(prost_types::Timestamp { seconds, nanos }));
    let start = at(Duration::ZERO).seconds;
    let cases = [
        (ttl(0, 0), "key.ttl"),
        (ttl(-1, 0), "key.ttl"),
        (ttl(0, -1), "key.ttl"),
        (ttl(i64::MIN, 0), "key.ttl"),
        (ttl(i64::MIN, i32::MIN), "key.ttl"),
        (ttl(9, -1), "key.ttl"),
        (ttl(9, 1_000_000_000), "key.ttl"),
        (ttl(i64::MAX, 0), "key.ttl"),
        (lives(3653 * DAY + TICK), "key.ttl"),
        (ends(Duration::ZERO), "key.expire_time"),
        (ends(3653 * DAY + TICK), "key.expire_time"),
        (time(start - 1, 0), "key.expire_time"),
        (time(0, 0), "key.expire_time"),
        (time(start + 9, -1), "key.expire_time"),
        (time(start + 9, 1_000_000_000), "key.expire_time"),
        (time(i64::MAX, 0), "key.expire_time"),
        (time(i64::MIN, 0), "key.expire_time"),
    ];
    for (expiration, field) in cases {
        let asked = Key { expiration, ..Default::default() };
        let status = server.refused(server.create(creation(asked))).await;
        assert_invalid(&status, &[field]);
    }
    let both = Key { environment: "moon".into(), expiration: ttl(0, 0), ..Default::default() };
    let status = server.refused(server.create(creation(both))).await;
    assert_invalid(&status, &["key.environment", "key.ttl"]);
    assert!(status.message().contains("production"), "the message lists the environments");
}

#[tokio::test]
async fn ids_are_uuids_of_version_7() {
    let server = Server::start().await;
    server.project("acme").await;
    for key_id in [
        "my-key",
        "01890a5d-ac96-474b-bcce-b302099a8057",
        "01890a5d-ac96-774b-0cce-b302099a8057",
        "01890a5dac96774bbcceb302099a8057",
        "zzzzzzzzzzzzzzzzzzzzzz",
        "0000000000000000000000",
        "01890a5d-ac96-774b-bcce-b302099a805g",
    ] {
        let request = proto::CreateKeyRequest { key_id: key_id.into(), ..creation(Key::default()) };
        assert_invalid(&server.refused(server.create(request)).await, &["key_id"]);
    }
}

#[tokio::test]
async fn a_parent_that_does_not_exist_is_not_found() {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("other").await;
    let foreign = server.account("other", "ci", "CI").await;

    let unknown = proto::CreateKeyRequest { parent: "projects/nowhere".into(), ..creation(Key::default()) };
    let status = server.refused(server.create(unknown)).await;
    assert_not_found(&status, "projects/nowhere");

    let owned_by = |account: &str| creation(Key { service_account: account.into(), ..Default::default() });
    let unknown = "projects/acme/serviceAccounts/unknown";
    let status = server.refused(server.create(owned_by(unknown))).await;
    assert_not_found(&status, unknown);
    let status = server.refused(server.create(owned_by(&foreign))).await;
    assert_invalid(&status, &["key.service_account"]);
}
