//! CreateServiceAccount with invalid fields.

use std::collections::BTreeMap;

use proto::{CreateServiceAccountRequest, ServiceAccount};
use testkit::{server::Server, status::assert_invalid};

use super::{create, new_ci};

async fn with_project() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = with_project().await;
    let request = CreateServiceAccountRequest {
        parent: "acme".into(),
        service_account_id: "C I".into(),
        service_account: Some(ServiceAccount {
            display_name: "x".repeat(201),
            external_id: "tab\t".into(),
            metadata: [("two words".to_owned(), String::new())].into(),
            ..Default::default()
        }),
        request_id: "é".into(),
        ..Default::default()
    };
    let refused = create(&server, request).await.unwrap_err();
    assert_invalid(
        &refused,
        &[
            "request_id",
            "parent",
            "service_account_id",
            "service_account.display_name",
            "service_account.external_id",
            "service_account.metadata",
        ],
    );
}

fn entries(list: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    list.into_iter().collect()
}

#[tokio::test]
async fn metadata_is_bounded_in_entries_and_lengths() {
    let server = with_project().await;
    let tried = |metadata: BTreeMap<String, String>| CreateServiceAccountRequest {
        service_account: Some(ServiceAccount { metadata, ..Default::default() }),
        validate_only: true,
        ..new_ci()
    };
    let numbered =
        |count: u32, value: &str| entries((0..count).map(|n| (format!("k{n:03}"), value.to_owned())));
    let full = numbered(8, &"x".repeat(1020));
    for good in [
        numbered(64, ""),
        full.clone(),
        entries([("aZ09._/-".into(), "é ü".into())]),
        entries([("k".repeat(64), "é".repeat(512))]),
    ] {
        create(&server, tried(good)).await.unwrap();
    }
    let mut too_much = full;
    too_much.insert("z".into(), String::new());
    for bad in [
        too_much,
        numbered(65, ""),
        entries([("k".into(), "x".repeat(1025))]),
        entries([("k".into(), "é".repeat(513))]),
        entries([("k".repeat(65), String::new())]),
        entries([(String::new(), String::new())]),
        entries([("a:b".into(), String::new())]),
        entries([("é".into(), String::new())]),
        entries([("k".into(), "line\nbreak".into())]),
        entries([("k".into(), "\0".into())]),
    ] {
        let refused = create(&server, tried(bad)).await.unwrap_err();
        assert_invalid(&refused, &["service_account.metadata"]);
    }
}

#[tokio::test]
async fn texts_are_bounded() {
    let server = with_project().await;
    let tried = |display_name: &str, external_id: &str| CreateServiceAccountRequest {
        service_account: Some(ServiceAccount {
            display_name: display_name.into(),
            external_id: external_id.into(),
            ..Default::default()
        }),
        validate_only: true,
        ..new_ci()
    };
    let most = tried(&"é".repeat(200), &"é".repeat(128));
    create(&server, most).await.unwrap();
    for bad in ["\n", "\0", &"é".repeat(201)] {
        let refused = create(&server, tried(bad, "")).await.unwrap_err();
        assert_invalid(&refused, &["service_account.display_name"]);
    }
    for bad in ["\n", "\0", &"é".repeat(129)] {
        let refused = create(&server, tried("", bad)).await.unwrap_err();
        assert_invalid(&refused, &["service_account.external_id"]);
    }
}
